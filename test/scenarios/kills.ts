import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SERVER_GROUP } from '../../src/apis/v1alpha1/server-group.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { leave } from './audit.ts'
import { Bookings } from './bookings.ts'
import { setGuest, setGuests } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { BREAKABLE, type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

const SERVICES = ['nova-api', 'nova-scheduler', 'nova-conductor', 'nova-compute']

/** Services die in the middle of their work. */
export function describeKills(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('a service is killed', () => {
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
      expect(bookings.wrongs).toEqual([])
      await Promise.all(hostsOf(world).map((host) => setGuests(world, host, null)))
    })
    afterAll(async () => {
      await bookings.stop()
      await leave(world)
    })

    ifSimulated(
      'nova-scheduler, in the middle of launches of groups, and another takes over: no policy is violated, no host oversold',
      async () => {
        await world.services.start('nova-scheduler-3')
        await world.client.create(SERVER_GROUP, {
          apiVersion: apiVersionOf(SERVER_GROUP),
          kind: SERVER_GROUP.kind,
          metadata: { namespace: project.namespace, name: 'pairs' },
          spec: { policy: 'anti-affinity', rules: { maxServerPerHost: 2 } },
        })
        const members = ['m-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6']
        const spec = { schedulerHints: { group: 'pairs' } }
        const made = Promise.all(members.map((name) => project.create(name, spec)))
        await project.until('m-1', ({ status }) => status.host !== undefined)
        await world.services.kill('nova-scheduler')
        await made

        const ended = await Promise.all(members.map((name) => project.untilState(name, 'active')))
        const hosts = ended.map(({ status }) => status.host)
        for (const host of hostsOf(world)) expect(hosts.filter((one) => one === host)).toHaveLength(2)

        await world.services.start('nova-scheduler')
        await world.services.stop('nova-scheduler-3')
        for (const name of members) await project.delete(name)
        await project.untilAllGone()
      },
    )

    it.each(SERVICES)(
      '%s, in the middle of launches, stops, starts and deletes: each ends as it should',
      async (service) => {
        const number = guests === 'simulated' ? 6 : 3
        const names = Array.from({ length: number }, (_, index) => `web-${index}`)
        const victim = service === 'nova-compute' ? `nova-compute-${hostsOf(world)[0]}` : service
        const kill = async (): Promise<void> => {
          await world.services.kill(victim)
          await world.services.start(victim)
        }

        await Promise.all(names.map((name) => project.create(name)))
        await project.until('web-0', ({ status }) => status.host !== undefined)
        await kill()
        for (const name of names) {
          const { metadata } = await project.untilState(name, 'active')
          expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
        }

        await Promise.all(names.map((name) => project.patch(name, { powerState: 'Shutdown' })))
        await project.until(
          'web-0',
          ({ status }) => status.taskState !== undefined || status.vmState === 'stopped',
        )
        await kill()
        for (const name of names) await project.untilState(name, 'stopped')

        await Promise.all(names.map((name) => project.patch(name, { powerState: 'Running' })))
        await kill()
        for (const name of names) await project.untilState(name, 'active')

        await Promise.all(names.map((name) => project.delete(name)))
        await kill()
        for (const name of names) await project.untilGone(name)
        expect(await project.virtualMachines()).toEqual([])
        for (const name of names) {
          const actions = await project.actions(name)
          expect(actions.map(({ spec }) => spec.action)).toEqual(['create', 'stop', 'start', 'delete'])
        }
      },
    )

    it('all of them at once: everything that was accepted is finished', async () => {
      await project.launch('stopping')
      await project.launch('deleting')
      await Promise.all([
        project.create('creating'),
        project.patch('stopping', { powerState: 'Shutdown' }),
        project.delete('deleting'),
      ])

      await Promise.all(world.services.names.map((name) => world.services.kill(name)))
      await Promise.all(world.services.names.map((name) => world.services.start(name)))

      await project.untilState('creating', 'active')
      await project.untilState('stopping', 'stopped')
      await project.untilGone('deleting')
    })

    describe('the agent, while its instance is', () => {
      ifSimulated('spawning, and not taken up yet', async () => {
        await Promise.all(hostsOf(world).map((host) => world.services.stop(`nova-compute-${host}`)))
        await project.create('queued')
        const { status } = await project.until('queued', (one) => one.status.host !== undefined)

        expect(status.taskState).toBe('spawning')
        expect(await project.virtualMachine('queued')).toBeUndefined()
        await Promise.all(hostsOf(world).map((host) => world.services.start(`nova-compute-${host}`)))

        const { metadata } = await project.untilState('queued', 'active')
        expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
      })

      ifSimulated('spawning', async () => {
        await Promise.all(hostsOf(world).map((host) => setGuests(world, host, 'never-boots')))
        await project.create('spawning')
        const { status } = await project.until('spawning', (one) => one.status.taskState === 'spawning')
        await eventually('it has a VM', () => project.virtualMachine('spawning'))

        await world.services.kill(`nova-compute-${status.host}`)
        await Promise.all(hostsOf(world).map((host) => setGuests(world, host, null)))
        await world.services.start(`nova-compute-${status.host}`)

        const { status: after, metadata } = await project.untilState('spawning', 'active')
        expect(after).toMatchObject({ host: status.host, attempt: 1 })
        expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
      })

      ifSimulated('powering-off', async () => {
        const { status } = await project.launch('off')
        await setGuest(world, { namespace: project.namespace, name: 'off' }, 'stubborn')
        await project.patch('off', { powerState: 'Shutdown' })
        await project.until('off', (one) => one.status.taskState === 'powering-off')

        await world.services.kill(`nova-compute-${status.host}`)
        await world.services.start(`nova-compute-${status.host}`)

        await project.untilState('off', 'stopped')
        expect((await project.actionEnd('off', 'stop')).status?.result).toBe('Success')
      })

      ifSimulated('powering-on', async () => {
        const { status } = await project.launch('on')
        await project.patch('on', { powerState: 'Shutdown' })
        await project.untilState('on', 'stopped')
        await setGuests(world, status.host ?? '', 'never-boots')
        await project.patch('on', { powerState: 'Running' })
        await project.until('on', (one) => one.status.taskState === 'powering-on')

        await world.services.kill(`nova-compute-${status.host}`)
        await setGuests(world, status.host ?? '', null)
        await world.services.start(`nova-compute-${status.host}`)

        await project.untilState('on', 'active')
        expect((await project.actionEnd('on', 'start')).status?.result).toBe('Success')
      })

      it('deleting', async () => {
        const { status } = await project.launch('away')
        await project.delete('away')
        await project.until('away', (one) => one.status.taskState === 'deleting')

        await world.services.kill(`nova-compute-${status.host}`)
        await world.services.start(`nova-compute-${status.host}`)

        await project.untilGone('away')
        expect(await project.virtualMachines()).toEqual([])
      })
    })

    ifSimulated.each(['nova-api', 'nova-scheduler'])(
      '%s, with a second one standing by: it takes over',
      async (service) => {
        const second = `${service}-2`
        await world.services.start(second)
        expect(world.services.log(second)).not.toContain('Became the leader')
        await project.launch('first')

        await world.services.kill(service)

        await project.launch('second')
        await eventually('it leads', () => world.services.log(second).includes('Became the leader'))
        await world.services.start(service)
        await world.services.stop(second)
        await project.launch('third')
      },
    )

    ifSimulated('a conductor of two: the other answers', async () => {
      await world.services.start('nova-conductor-2')
      await world.services.kill('nova-conductor')

      await project.launch('other')

      await world.services.start('nova-conductor')
      await world.services.stop('nova-conductor-2')
    })
  })
}
