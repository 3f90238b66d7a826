import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  HOST_AGGREGATE,
  type HostAggregate,
  type HostAggregateSpec,
  type HostAggregateStatusCondition,
} from '../../src/apis/v1alpha1/host-aggregate.ts'
import { NODE } from '../../src/dev/nodes.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { leave } from './audit.ts'
import { makeFlavor } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

/** Where instances go by the aggregates of their hosts, and what is told of aggregates. */
export function describeAggregates(makeWorld: MakeWorld): void {
  describe('host aggregates', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
    })
    afterAll(async () => {
      await leave(world)
    })

    async function aggregate(name: string, spec: HostAggregateSpec): Promise<void> {
      await world.client.create(HOST_AGGREGATE, {
        apiVersion: apiVersionOf(HOST_AGGREGATE),
        kind: HOST_AGGREGATE.kind,
        metadata: { name },
        spec,
      })
    }
    const change = (name: string, spec: object): Promise<unknown> =>
      world.client.mergePatch(HOST_AGGREGATE, { name }, { spec })
    const dissolve = (name: string): Promise<unknown> => world.client.delete(HOST_AGGREGATE, { name })
    const label = (host: string, rack: string | null): Promise<unknown> =>
      world.client.mergePatch(NODE, { name: host }, { metadata: { labels: { rack } } })

    const readyOf = ({ status }: HostAggregate): HostAggregateStatusCondition | undefined =>
      status?.conditions?.find(({ type }) => type === 'Ready')

    /** Waits until it says how many hosts it has, and what of it cannot be used; nothing where all can. */
    async function untilSays(name: string, hosts: number, message = ''): Promise<void> {
      const found = await eventually(`aggregate ${name} says of ${hosts} hosts: ${message}`, async () => {
        const now = await world.client.get(HOST_AGGREGATE, { name })
        return now.status?.hosts === hosts && readyOf(now)?.message === message && now
      })
      expect(readyOf(found)).toMatchObject(
        message === '' ? { status: 'True', reason: 'InUse' } : { status: 'False', reason: 'NotAllUsable' },
      )
    }

    async function hostOf(name: string, spec: Parameters<Project['create']>[1]): Promise<string | undefined> {
      const { status } = await project.launch(name, spec)
      await project.delete(name)
      await project.untilGone(name)
      return status.host
    }

    it('a zone is what an aggregate says, and its hosts those with the labels, as these change', async () => {
      const [host = '', other = ''] = hostsOf(world)
      await label(host, 'r1')
      await aggregate('rack-1', { nodeSelector: { rack: 'r1' }, availabilityZone: 'mars' })
      await untilSays('rack-1', 1)

      const { status } = await project.launch('martian', { availabilityZone: 'mars' })
      expect(status).toMatchObject({ host, availabilityZone: 'mars' })

      await label(other, 'r1')
      await untilSays('rack-1', 2)
      await label(host, null)
      await untilSays('rack-1', 1)
      expect(await hostOf('later', { availabilityZone: 'mars' })).toBe(other)

      await label(other, null)
      await untilSays('rack-1', 0, 'no Node that is a host has these labels')
      await project.create('too-late', { availabilityZone: 'mars' })
      expect((await project.untilFault('too-late')).message).toContain('3 in zone nova, not mars')
      await dissolve('rack-1')
    })

    it('ratios hold for its hosts', async () => {
      const hosts = hostsOf(world)
      await makeFlavor(world, 'wide', { vcpus: 9, memoryMb: 512, diskGb: 1 })
      await aggregate('no-overcommit', { hosts, metadata: { cpu_allocation_ratio: '1' } })
      await untilSays('no-overcommit', hosts.length)
      await project.create('too-wide', { flavor: 'wide' })
      expect((await project.untilFault('too-wide')).message).toContain('without room: VCPU 9 asked')
      await dissolve('no-overcommit')
    })

    it('what cannot be used of it is said where it was written, until it is mended; the rest is used', async () => {
      const [host = ''] = hostsOf(world)
      await aggregate('mistaken', {
        hosts: [host, 'nowhere'],
        availabilityZone: 'venus',
        metadata: {
          ram_allocation_ratio: 'much',
          cpu_weight_multiplier: '',
          max_io_ops_per_host: '-1',
          reserved_host_cpus: '1',
        },
      })
      const nonsense = [
        'there is no host nowhere',
        "metadata cpu_weight_multiplier '' is no number it can be",
        "metadata max_io_ops_per_host '-1' is no number it can be",
        "metadata ram_allocation_ratio 'much' is no number it can be",
      ]
      await untilSays('mistaken', 1, nonsense.join('; '))
      expect(await hostOf('on-venus', { availabilityZone: 'venus' })).toBe(host)

      await change('mistaken', {
        hosts: [host],
        metadata: { ram_allocation_ratio: '1.5', cpu_weight_multiplier: null, max_io_ops_per_host: null },
      })
      await untilSays('mistaken', 1)
      await dissolve('mistaken')
    })

    it('a host that two put in a zone is in that of the first by name, and the other says so', async () => {
      const [host = '', other = ''] = hostsOf(world)
      await aggregate('b-zone', { hosts: [host, other], availabilityZone: 'west' })
      await untilSays('b-zone', 2)
      await aggregate('a-zone', { hosts: [host], availabilityZone: 'east' })
      await untilSays('a-zone', 1)
      await untilSays('b-zone', 2, `another aggregate puts ${host} in another zone, which holds`)

      expect(await hostOf('eastern', { availabilityZone: 'east' })).toBe(host)
      expect(await hostOf('western', { availabilityZone: 'west' })).toBe(other)

      await dissolve('a-zone')
      await untilSays('b-zone', 2)
      await dissolve('b-zone')
    })

    it('one without hosts and without labels is refused where it is written', async () => {
      await expect(aggregate('nothing', { metadata: { tier: 'gold' } })).rejects.toThrow(
        'give hosts, or a nodeSelector, or both',
      )
    })

    it('a scheduler that has just begun knows them all', async () => {
      const [, host = ''] = hostsOf(world)
      await label(host, 'r2')
      await aggregate('rack-2', { nodeSelector: { rack: 'r2' }, availabilityZone: 'pluto' })
      await untilSays('rack-2', 1)

      await world.services.stop('nova-scheduler')
      await world.services.start('nova-scheduler')

      expect(await hostOf('plutonian', { availabilityZone: 'pluto' })).toBe(host)
      await dissolve('rack-2')
      await label(host, null)
    })
  })
}
