import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leave } from './audit.ts'
import { Bookings } from './bookings.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { BREAKABLE, type Guests, hostsOf, type MakeWorld, type Peer, type World } from './world.ts'

/** The broker and the API server go away and come back. */
export function describeDeadPeers(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')
  const few = guests === 'simulated' ? 3 : 1

  describe('what we stand on goes away', () => {
    let world: World
    let project: Project
    let bookings: Bookings

    beforeAll(async () => {
      world = await makeWorld(BREAKABLE)
      bookings = await Bookings.of(world, guests)
      await bookings.start()
    })
    beforeEach(async () => {
      project = await makeProject(world)
    })
    afterEach(async () => {
      await Promise.all(peers.map(({ peer }) => peer().comeBack()))
      expect(bookings.wrongs).toEqual([])
    })
    afterAll(async () => {
      await bookings.stop()
      await leave(world)
    })

    const peers: readonly { what: string; peer: () => Peer; says: RegExp }[] = [
      { what: 'the broker', peer: () => world.broker, says: /message broker/ },
      {
        what: 'the API server',
        peer: () => world.apiServer,
        // Where the broker asks the API server who may come in, that is what is waited for.
        says: /(Kubernetes API|KubeVirt) cannot be used yet|Waiting for the message broker/,
      },
    ].slice(0, guests === 'simulated' ? 2 : 1)

    it.each(peers)('$what in the middle of launches, stops and deletes: all are done', async ({ peer }) => {
      const stopping = await create(few)
      const deleting = await create(few)
      for (const name of [...stopping, ...deleting]) await project.untilState(name, 'active')
      const launching = await create(few + 1)
      await project.until(launching[0] ?? '', ({ status }) => status.taskState === 'spawning')
      await Promise.all([
        ...stopping.map((name) => project.patch(name, { powerState: 'Shutdown' })),
        ...deleting.map((name) => project.delete(name)),
      ])

      await peer().goAway()
      const later = peer() === world.broker ? await create(few) : []
      await peer().comeBack()

      for (const name of [...launching, ...later]) {
        const { metadata, status } = await project.untilState(name, 'active')
        expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
        expect(status.attempt).toBe(1)
      }
      for (const name of stopping) {
        const { status } = await project.untilState(name, 'stopped')
        expect(status.fault).toBeUndefined()
      }
      for (const name of deleting) await project.untilGone(name)
      expect(await project.virtualMachines()).toHaveLength([...launching, ...later, ...stopping].length)
    })

    ifSimulated.each(peers)(
      '$what not there at the start: every service waits, and says so once',
      async ({ peer, says }) => {
        await Promise.all(world.services.names.map((name) => world.services.stop(name)))
        const before = new Map(world.services.names.map((name) => [name, world.services.log(name).length]))
        const said = (name: string): readonly string[] =>
          world.services
            .log(name)
            .slice(before.get(name))
            .split('\n')
            .filter((line) => / (INFO|WARNING) /.test(line) && says.test(line))
        await peer().goAway()

        const started = Promise.all(world.services.names.map((name) => world.services.start(name)))
        // The conductor needs the API server only when it is asked for something.
        const waiting = world.services.names.filter(
          (name) => peer() === world.broker || name !== 'nova-conductor',
        )
        await eventually('each has said that it waits', () => waiting.every((name) => said(name).length > 0))
        const once = waiting.map((name) => [
          name,
          new Set(said(name).map(sentence)).size === said(name).length,
        ])
        expect(once).toEqual(waiting.map((name) => [name, true]))
        await peer().comeBack()

        await started
        await project.launch('after')
      },
    )

    ifSimulated('the broker’s store is lost: what was on its way is sent again', async () => {
      await Promise.all(hostsOf(world).map((host) => world.services.stop(`nova-compute-${host}`)))
      const bound = await create(3)
      for (const name of bound) await project.until(name, ({ status }) => status.host !== undefined)
      await world.services.stop('nova-scheduler')
      const unbound = await create(3)
      for (const name of unbound) await project.until(name, (one) => one.metadata.finalizers !== undefined)

      await world.broker.wipe()
      await world.services.start('nova-scheduler')
      await Promise.all(hostsOf(world).map((host) => world.services.start(`nova-compute-${host}`)))

      for (const name of [...bound, ...unbound]) {
        const { metadata } = await project.untilState(name, 'active')
        expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
      }
    })

    it('the broker’s store is lost while every service runs: they go on', async () => {
      const names = await create(few)

      await world.broker.wipe()

      for (const name of names) await project.untilState(name, 'active')
      await project.launch('next')
    })

    let count = 0
    async function create(number: number): Promise<readonly string[]> {
      const names = Array.from({ length: number }, () => `web-${++count}`)
      await Promise.all(names.map((name) => project.create(name)))
      return names
    }
  })
}

/** A log line without its time, process and numbers. */
function sentence(line: string): string {
  return line.replace(/^\S+ \S+ \d+ /, '').replaceAll(/ \w+=\d\S*/g, '')
}
