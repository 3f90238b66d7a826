import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isAlreadyExists } from '../../src/kube/api-error.ts'
import { leave } from './audit.ts'
import { Bookings } from './bookings.ts'
import { setGuests } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

/** Two things at once. */
export function describeRaces(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('at the same time', () => {
    let world: World
    let project: Project
    let bookings: Bookings

    beforeAll(async () => {
      world = await makeWorld()
      bookings = await Bookings.of(world, guests)
      await bookings.start()
    })
    beforeEach(async () => {
      project = await makeProject(world)
    })
    afterEach(async () => {
      await Promise.all((await project.all()).map(({ metadata }) => project.delete(metadata.name)))
      await project.untilAllGone()
      expect(await project.virtualMachines()).toEqual([])
      expect(bookings.wrongs).toEqual([])
    })
    afterAll(async () => {
      await bookings.stop()
      await leave(world)
    })

    it('a delete before a host was chosen: gone, and never built', async () => {
      await world.services.stop('nova-scheduler')
      const { metadata } = await project.create('early')
      await project.until('early', (one) => one.metadata.finalizers !== undefined)

      await project.delete('early')
      await project.untilGone('early')

      await world.services.start('nova-scheduler')
      expect((await project.actionEnd('early', 'delete')).status?.result).toBe('Success')
      await settled()
      expect(bookings.vmsOf(metadata.uid)).toBe(0)
    })

    ifSimulated('a delete between the choice of a host and the build: gone, and never built', async () => {
      await Promise.all(hostsOf(world).map((host) => world.services.stop(`nova-compute-${host}`)))
      const { metadata } = await project.create('bound')
      await project.until('bound', (one) => one.status.host !== undefined)

      await project.delete('bound')
      await project.until('bound', (one) => one.status.taskState === 'deleting')
      await Promise.all(hostsOf(world).map((host) => world.services.start(`nova-compute-${host}`)))

      await project.untilGone('bound')
      await settled()
      expect(bookings.vmsOf(metadata.uid)).toBe(0)
    })

    it('a delete while the guest boots: the build is given up, and nothing is left', async () => {
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, 'never-boots')))
      await project.create('booting')
      await eventually('it has a VM', () => project.virtualMachine('booting'))

      await project.delete('booting')
      await project.untilGone('booting')

      expect(await project.virtualMachines()).toEqual([])
      expect((await project.actionEnd('booting', 'delete')).status?.result).toBe('Success')
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, null)))
    })

    it('a stop just after a create: refused in Nova’s words, or done', async () => {
      const { metadata } = await project.create('hasty')
      const refused = await project.patch('hasty', { powerState: 'Shutdown' }).then(
        () => undefined,
        (error: Error) => error.message,
      )

      if (refused === undefined) {
        await project.untilState('hasty', 'stopped')
        return
      }
      // By its name where no service has seen it yet: only they tell the API server its id.
      const names = [metadata.uid, 'hasty'].map(
        (id) => `Cannot 'stop' instance ${id} while it is in vm_state building`,
      )
      expect(
        names.some((sentence) => refused.includes(sentence)),
        refused,
      ).toBe(true)
      expect((await project.untilState('hasty', 'active')).spec.powerState).toBe('Running')
    })

    it('two users: one shuts off, one keeps it running, and what the spec says is what comes', async () => {
      await project.launch('disputed')

      await Promise.allSettled([
        project.patch('disputed', { powerState: 'Shutdown' }),
        project.patch('disputed', { powerState: 'Running' }),
        project.patch('disputed', { powerState: 'Shutdown' }),
      ])

      const { spec } = await project.get('disputed')
      const wanted = spec.powerState === 'Shutdown' ? 'stopped' : 'active'
      const { status } = await project.untilState('disputed', wanted)
      expect(status.fault).toBeUndefined()
    })

    it('a stop and a start that takes it back before anybody looked: nothing is done', async () => {
      const { metadata } = await project.launch('undecided')
      await world.services.stop('nova-api')
      await project.patch('undecided', { powerState: 'Shutdown' })
      await project.patch('undecided', { powerState: 'Running' })
      await world.services.start('nova-api')

      const { status } = await project.until('undecided', (one) => one.status.observedGeneration === 3)
      expect(status).toMatchObject({ vmState: 'active', powerState: 'RUNNING' })
      expect((await project.actions('undecided')).map(({ spec }) => spec.action)).toEqual(['create'])
      expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    })

    it('a delete in the middle of a stop: gone', async () => {
      await project.launch('leaving')

      await project.patch('leaving', { powerState: 'Shutdown' })
      await project.delete('leaving')

      await project.untilGone('leaving')
    })

    it('two deletes: gone once', async () => {
      await project.launch('twice')

      await Promise.allSettled([project.delete('twice'), project.delete('twice')])

      await project.untilGone('twice')
      const deletes = (await project.actions('twice')).filter(({ spec }) => spec.action === 'delete')
      expect(deletes).toHaveLength(1)
    })

    it('a delete and a create of the same name: the new one gets a guest of its own', async () => {
      const { metadata: old } = await project.launch('again')

      await project.delete('again')
      const { metadata } = await eventually('the name is free', async () => {
        try {
          return await project.create('again')
        } catch (error) {
          if (isAlreadyExists(error)) return undefined
          throw error
        }
      })

      await project.until('again', (one) => one.metadata.uid === metadata.uid)
      await project.untilState('again', 'active')
      expect(metadata.uid).not.toBe(old.uid)
      const vms = await project.virtualMachines()
      expect(vms.map((vm) => vm.metadata.ownerReferences?.[0]?.uid)).toEqual([metadata.uid])
    })

    ifSimulated('thirty launches: spread over the hosts, one VM each', async () => {
      const names = Array.from({ length: 30 }, (_, index) => `many-${index}`)
      const made = await Promise.all(names.map((name) => project.create(name)))
      const instances = await Promise.all(names.map((name) => project.untilState(name, 'active')))

      const hosts = instances.map(({ status }) => status.host)
      // Hosts that are busy building are avoided, so one that builds faster gets some more.
      for (const host of hostsOf(world)) {
        const count = hosts.filter((one) => one === host).length
        expect(count).toBeGreaterThanOrEqual(7)
        expect(count).toBeLessThanOrEqual(13)
      }
      for (const { metadata } of made) expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    })

    ifSimulated(
      'more launches than fit: as many as fit are active, the others have no valid host',
      async () => {
        const names = Array.from({ length: 14 }, (_, index) => `large-${index}`)
        await Promise.all(names.map((name) => project.create(name, { flavor: 'm1.large' })))
        const ended = await Promise.all(
          names.map((name) =>
            project.until(
              name,
              ({ status }) => status.taskState === undefined && status.vmState !== 'building',
            ),
          ),
        )

        const reasons = ended.map(({ status }) => status.fault?.reason ?? status.vmState)
        expect(reasons.filter((one) => one === 'active')).toHaveLength(9)
        expect(reasons.filter((one) => one === 'NoValidHost')).toHaveLength(5)
        expect([...bookings.highest.values()]).toEqual([3 * 8192, 3 * 8192, 3 * 8192])
      },
    )

    /** Every message was dealt with, also those that came too late. */
    async function settled(): Promise<void> {
      await eventually('no message is left', async () => (await world.broker.stored()) === 0)
    }
  })
}
