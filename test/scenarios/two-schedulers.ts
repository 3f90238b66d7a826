import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Instance } from '../../src/apis/v1alpha1/instance.ts'
import { SERVER_GROUP } from '../../src/apis/v1alpha1/server-group.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { leave } from './audit.ts'
import { Bookings } from './bookings.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

const SCHEDULERS = ['nova-scheduler', 'nova-scheduler-2']
/** Of m1.medium with its 4 GiB, on a simulated host that may be booked with 31.5. */
const FIT = 7

/**
 * A lease is no lock: for a while two schedulers may take themselves for the leader, each with claims that the other cannot
 * see. Here they do for as long as the tests last, because each has a lease of its own.
 */
export function describeTwoSchedulers(makeWorld: MakeWorld): void {
  describe('two schedulers that lead at once', () => {
    let world: World
    let bookings: Bookings

    beforeAll(async () => {
      // However busy the machine is: no lease is lost.
      world = await makeWorld({ env: { KILONOVA_LEASE_DURATION: '15' } })
      bookings = await Bookings.of(world)
      await bookings.start()
      const elsewhere = await world.namespace()
      await world.services.start('nova-scheduler-2', { KILONOVA_LEASE_NAMESPACE: elsewhere })
      for (const name of SCHEDULERS) {
        await eventually(
          `${name} leads`,
          () => said(name, 'Became the leader') > said(name, 'No longer the leader'),
        )
      }
    })
    afterAll(async () => {
      await bookings.stop()
      await world.services.stop('nova-scheduler-2')
      await leave(world)
    })

    const said = (name: string, what: string): number => world.services.log(name).split(what).length - 1

    /** Both decided, and both led all the while. */
    async function whileBothDecide<T>(work: () => Promise<T>): Promise<T> {
      const before = SCHEDULERS.map((name) => said(name, 'Selected host'))
      const result = await work()
      for (const [index, name] of SCHEDULERS.entries()) {
        expect(said(name, 'Selected host'), `decisions of ${name}`).toBeGreaterThan(before[index] ?? 0)
        expect(said(name, 'No longer the leader')).toBe(said(name, 'Became the leader') - 1)
      }
      return result
    }

    async function launchAll(
      project: Project,
      names: readonly string[],
      spec: Parameters<Project['create']>[1],
    ): Promise<readonly Instance[]> {
      await Promise.all(names.map((name) => project.create(name, spec)))
      return Promise.all(
        names.map((name) =>
          project.until(
            name,
            ({ status }) => status.taskState === undefined && status.vmState !== 'building',
          ),
        ),
      )
    }

    /** None is lost; what became active has the one guest that it ever had, and the others never had any. */
    async function expectEachEnded(ended: readonly Instance[]): Promise<readonly Instance[]> {
      const active = ended.filter(({ status }) => status.vmState === 'active')
      for (const { metadata } of active) expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
      const others = ended.filter(({ status }) => status.vmState !== 'active')
      for (const { metadata, status } of others) {
        expect(['NoValidHost', 'MaxRetriesExceeded']).toContain(status.fault?.reason)
        expect(status.host).toBeUndefined()
        expect(bookings.vmsOf(metadata.uid)).toBe(0)
      }
      return active
    }

    async function removeAll(project: Project): Promise<void> {
      await Promise.all((await project.all()).map(({ metadata }) => project.delete(metadata.name)))
      await project.untilAllGone()
    }

    it('more than fit: never more on a host than it can take, none lost, none twice, and no room is lost either', async () => {
      const project = await makeProject(world)
      const hosts = hostsOf(world)
      const names = Array.from({ length: 2 * FIT * hosts.length }, (_, index) => `web-${index}`)
      const spec = { flavor: 'm1.medium' }

      const ended = await whileBothDecide(() => launchAll(project, names, spec))

      const active = await expectEachEnded(ended)
      const left = FIT * hosts.length - active.length
      expect(left).toBeGreaterThanOrEqual(0)
      const rest = Array.from({ length: left + 1 }, (_, index) => `rest-${index}`)
      for (const name of rest.slice(0, left)) {
        await project.create(name, spec)
        await project.untilState(name, 'active')
      }
      await project.create(rest[left] ?? '', spec)
      expect((await project.untilFault(rest[left] ?? '')).reason).toBe('NoValidHost')
      for (const host of hosts) expect(bookings.mostVms(project.namespace, host)).toBe(FIT)
      await removeAll(project)
    })

    it('a group whose members go apart: never two of them on a host', async () => {
      const project = await makeProject(world)
      await world.client.create(SERVER_GROUP, {
        apiVersion: apiVersionOf(SERVER_GROUP),
        kind: SERVER_GROUP.kind,
        metadata: { namespace: project.namespace, name: 'apart' },
        spec: { policy: 'anti-affinity' },
      })
      const names = Array.from({ length: 12 }, (_, index) => `member-${index}`)

      const ended = await whileBothDecide(() =>
        launchAll(project, names, { schedulerHints: { group: 'apart' } }),
      )

      const active = await expectEachEnded(ended)
      expect(active.length).toBeGreaterThan(0)
      expect(new Set(active.map(({ status }) => status.host)).size).toBe(active.length)
      for (const host of hostsOf(world)) {
        expect(bookings.mostVms(project.namespace, host)).toBeLessThanOrEqual(1)
      }
      await removeAll(project)
    })
  })
}
