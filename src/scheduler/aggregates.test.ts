import { beforeEach, describe, expect, it } from 'vitest'
import {
  HOST_AGGREGATE,
  type HostAggregate,
  type HostAggregateSpec,
} from '../apis/v1alpha1/host-aggregate.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { makeComputeNode } from '../testing/builders.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { nonsenseIn } from './aggregate-settings.ts'
import { LABELLED_NODE, type LabelledNode, trimNode } from './nodes.ts'

let world: SchedulerWorld

beforeEach(() => {
  world = new SchedulerWorld({
    defaults: { ratios: { cpu: 4, memory: 1, disk: 1 }, reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 } },
  })
  world.start()
  for (const name of ['node-1', 'node-2']) {
    world.nodes.tell(makeComputeNode({ name, status: { availabilityZone: 'nova' } }))
    world.labels.tell(node(name, { rack: 'r1' }))
  }
})

function node(name: string, labels: Record<string, string>): LabelledNode {
  return { apiVersion: 'v1', kind: LABELLED_NODE.kind, metadata: { name, labels } }
}

function aggregate(name: string, spec: HostAggregateSpec): HostAggregate {
  return { apiVersion: apiVersionOf(HOST_AGGREGATE), kind: HOST_AGGREGATE.kind, metadata: { name }, spec }
}

function membersOf(name: string): string[] {
  return world.hosts
    .snapshot()
    .flatMap(({ host, aggregates }) => (aggregates.some((one) => one.name === name) ? [host] : []))
}

const stateOf = (host: string): ReturnType<typeof world.hosts.stateOf> => world.hosts.stateOf(host)

describe('the hosts of an aggregate', () => {
  it('are those that it names, until it names them no more, or goes', () => {
    world.aggregates.tell(aggregate('a', { hosts: ['node-1', 'gone'] }))
    expect(membersOf('a')).toEqual(['node-1'])
    world.aggregates.tell(aggregate('a', { hosts: ['node-2'] }))
    expect(membersOf('a')).toEqual(['node-2'])
    world.aggregates.tellGone(aggregate('a', { hosts: ['node-2'] }))
    expect(membersOf('a')).toEqual([])
  })

  it('are those whose Nodes have its labels, as these change', () => {
    world.labels.tell(node('node-2', { rack: 'r2' }))
    world.aggregates.tell(aggregate('a', { nodeSelector: { rack: 'r2' } }))
    expect(membersOf('a')).toEqual(['node-2'])
    world.labels.tell(node('node-1', { rack: 'r2' }))
    expect(membersOf('a')).toEqual(['node-1', 'node-2'])
    world.labels.tell(node('node-2', {}))
    expect(membersOf('a')).toEqual(['node-1'])
    world.labels.tellGone(node('node-1', {}))
    expect(membersOf('a')).toEqual([])
  })

  it('named and labelled: a host that loses the label stays', () => {
    world.aggregates.tell(aggregate('a', { hosts: ['node-1'], nodeSelector: { rack: 'r1' } }))
    world.labels.tell(node('node-1', {}))
    expect(membersOf('a')).toEqual(['node-1', 'node-2'])
  })
})

describe('what an aggregate says of its hosts', () => {
  it('is their zone; of two that say one the first by name', () => {
    world.aggregates.tell(aggregate('b', { hosts: ['node-1'], availabilityZone: 'west' }))
    expect(stateOf('node-1')?.availabilityZone).toBe('west')
    expect(stateOf('node-2')?.availabilityZone).toBe('nova')
    world.aggregates.tell(aggregate('a', { hosts: ['node-1'], metadata: { availability_zone: 'east' } }))
    expect(stateOf('node-1')?.availabilityZone).toBe('east')
  })

  it('is the least ratio and the most that is reserved, where the host itself says nothing', () => {
    world.aggregates.tell(
      aggregate('a', { hosts: ['node-1', 'node-2'], metadata: { cpu_allocation_ratio: '3' } }),
    )
    world.aggregates.tell(
      aggregate('b', {
        hosts: ['node-1', 'node-2'],
        metadata: {
          cpu_allocation_ratio: '2',
          reserved_host_memory_mb: '1024',
          reserved_host_disk_mb: '1025',
        },
      }),
    )
    world.nodes.tell(
      makeComputeNode({ name: 'node-2', spec: { allocationRatios: { cpu: 1 }, reserved: { memoryMb: 0 } } }),
    )
    expect(stateOf('node-1')).toMatchObject({
      ratios: { cpu: 2, memory: 1, disk: 1 },
      reserved: { vcpus: 0, memoryMb: 1024, diskGb: 2 },
    })
    expect(stateOf('node-2')).toMatchObject({ ratios: { cpu: 1 }, reserved: { memoryMb: 0, diskGb: 2 } })
  })

  it('is how much a weigher counts: the least of several; nonsense is left out', () => {
    world.aggregates.tell(
      aggregate('a', {
        hosts: ['node-1'],
        metadata: { ram_weight_multiplier: '-1', cpu_weight_multiplier: 'x' },
      }),
    )
    world.aggregates.tell(aggregate('b', { hosts: ['node-1'], metadata: { ram_weight_multiplier: '5' } }))
    expect(stateOf('node-1')?.weightMultipliers).toEqual({ RAMWeigher: -1 })
    expect(stateOf('node-2')?.weightMultipliers).toBeUndefined()
  })
})

describe('nonsense in metadata', () => {
  it.each([
    [{ cpu_allocation_ratio: '2.5', anything: 'else' }, []],
    [{ ram_weight_multiplier: '-3', toString: 'x' }, []],
    [{ cpu_allocation_ratio: '0' }, ["metadata cpu_allocation_ratio '0' is no number it can be"]],
    [{ max_io_ops_per_host: '' }, ["metadata max_io_ops_per_host '' is no number it can be"]],
    [{ reserved_host_cpus: '-1' }, ["metadata reserved_host_cpus '-1' is no number it can be"]],
    [
      { ram_weight_multiplier: 'b', cpu_weight_multiplier: 'a' },
      [
        "metadata cpu_weight_multiplier 'a' is no number it can be",
        "metadata ram_weight_multiplier 'b' is no number it can be",
      ],
    ],
  ])('%j: %j', (metadata, want) => {
    expect(nonsenseIn(metadata)).toEqual(want)
  })
})

it('of a Node only its labels are kept', () => {
  const big: LabelledNode & { status: object } = {
    ...node('node-1', { rack: 'r1' }),
    status: { images: [1, 2] },
  }
  expect(trimNode(big)).toEqual(node('node-1', { rack: 'r1' }))
})
