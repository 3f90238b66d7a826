import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { TASK_STATES, type VmState } from '../apis/v1alpha1/states.ts'
import { makeComputeNode, makeInstance } from '../testing/builders.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import type { ToldInformer } from '../testing/told-informer.ts'
import { HostManager } from './host-manager.ts'
import type { Amounts, HostState } from './host-state.ts'

const SMALL = { name: 'm1.small', vcpus: 1, memoryMb: 2048, diskGb: 20 }
const LIVELY = { isUp: () => true, onChange: () => () => {} }
const LARGE = { name: 'm1.large', vcpus: 4, memoryMb: 8192, diskGb: 80 }

let nodes: ToldInformer<ComputeNode>
let instances: ToldInformer<Instance>
let silent: Set<string>
let hosts: HostManager
let world: SchedulerWorld

function makeWorld(): SchedulerWorld {
  return new SchedulerWorld({
    defaults: {
      ratios: { cpu: 4, memory: 1, disk: 1 },
      reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 },
    },
  })
}

function begin(): void {
  world = makeWorld()
  ;({ nodes, instances, silent, hosts } = world)
  world.start()
}

beforeEach(begin)

function bound(
  uid: string,
  host: string,
  fields: { flavor?: typeof SMALL; vmState?: VmState } = {},
): Instance {
  const { flavor = SMALL, vmState = 'active' } = fields
  return makeInstance({ name: uid, uid, status: { vmState, host, flavor } })
}

function stateOf(host: string): HostState | undefined {
  return hosts.snapshot().find((one) => one.host === host)
}

function usedVcpus(): Record<string, number> {
  return Object.fromEntries(hosts.snapshot().map(({ host, used }) => [host, used.vcpus]))
}

describe('a host', () => {
  it('is seen with what its agent reported, and the scheduler’s ratios and reserves where it has none', () => {
    nodes.tell(makeComputeNode({ status: { availabilityZone: 'west', hostIp: '10.0.0.1' } }))
    expect(stateOf('node-1')).toMatchObject({
      enabled: true,
      up: true,
      availabilityZone: 'west',
      hostIp: '10.0.0.1',
      hypervisorType: 'kvm',
      architecture: 'x86_64',
      inventory: { vcpus: 8, memoryMb: 32_768, diskGb: 500 },
      ratios: { cpu: 4, memory: 1, disk: 1 },
      reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 },
      used: { vcpus: 0, memoryMb: 0, diskGb: 0 },
    })
  })

  it('has the ratios and reserves of its own that the operator gave it, each by itself', () => {
    nodes.tell(
      makeComputeNode({ spec: { allocationRatios: { cpu: 1 }, reserved: { vcpus: 2, memoryMb: 0 } } }),
    )
    expect(stateOf('node-1')).toMatchObject({
      ratios: { cpu: 1, memory: 1, disk: 1 },
      reserved: { vcpus: 2, memoryMb: 0, diskGb: 0 },
    })
  })

  it.each([
    {
      what: 'that is disabled',
      spec: { disabled: true, disabledReason: 'new disks' },
      want: { enabled: false, disabledReason: 'new disks', up: true },
    },
    {
      what: 'that is forced down',
      spec: { forcedDown: true },
      want: { up: false, downReason: 'forced down' },
    },
    {
      what: 'that is silent',
      silentHost: 'node-1',
      want: { up: false, downReason: 'the agent does not report' },
    },
    {
      what: 'that is forced down and silent',
      spec: { forcedDown: true },
      silentHost: 'node-1',
      want: { up: false, downReason: 'forced down' },
    },
  ])('$what is seen as such', ({ spec, silentHost, want }) => {
    if (silentHost) silent.add(silentHost)
    nodes.tell(makeComputeNode({ ...(spec && { spec }) }))
    expect(stateOf('node-1')).toMatchObject(want)
  })

  it('that has not reported yet is not there', () => {
    const { status: _, ...bare } = makeComputeNode()
    nodes.tell(bare)
    expect(hosts.snapshot()).toEqual([])
  })

  it('comes in the order of the names', () => {
    for (const name of ['node-3', 'node-1', 'node-2']) nodes.tell(makeComputeNode({ name }))
    expect(hosts.snapshot().map(({ host }) => host)).toEqual(['node-1', 'node-2', 'node-3'])
  })
})

describe('what is booked', () => {
  beforeEach(() => {
    for (const name of ['node-1', 'node-2']) nodes.tell(makeComputeNode({ name }))
  })

  it('follows instances that are bound, change, and go', () => {
    instances.tell(bound('a', 'node-1'))
    instances.tell(bound('b', 'node-1', { flavor: LARGE }))
    expect(stateOf('node-1')?.used).toEqual({ vcpus: 5, memoryMb: 10_240, diskGb: 100 })

    instances.tell(bound('a', 'node-1', { vmState: 'stopped' }))
    expect(usedVcpus()).toEqual({ 'node-1': 5, 'node-2': 0 })

    instances.tellGone(bound('b', 'node-1', { flavor: LARGE }))
    expect(usedVcpus()).toEqual({ 'node-1': 1, 'node-2': 0 })
  })

  it.each<{ vmState: VmState; want: number }>([
    { vmState: 'building', want: 1 },
    { vmState: 'active', want: 1 },
    { vmState: 'stopped', want: 1 },
    { vmState: 'error', want: 1 },
    { vmState: 'deleted', want: 0 },
  ])('for an instance that is $vmState is $want vCPU', ({ vmState, want }) => {
    instances.tell(bound('a', 'node-1', { vmState }))
    expect(usedVcpus()).toEqual({ 'node-1': want, 'node-2': 0 })
  })

  it('is work for the disks of a host while Nova’s io_workload says so', () => {
    const busy = TASK_STATES.filter((taskState) => {
      const status = { vmState: 'active', taskState, host: 'node-1', flavor: SMALL } as const
      instances.tell(makeInstance({ uid: 'a', status }))
      return stateOf('node-1')?.ioOps === 1
    })
    expect(busy.toSorted()).toEqual([
      'image_snapshot',
      'rebuilding',
      'rescuing',
      'resize_migrating',
      'resize_prep',
      'unshelving',
    ])
    const building = { vmState: 'building', taskState: 'spawning', host: 'node-1', flavor: SMALL } as const
    instances.tell(makeInstance({ uid: 'a', status: building }))
    expect(stateOf('node-1')?.ioOps).toBe(1)
  })

  it('moves with an instance to another host, and is free when it is given back', () => {
    instances.tell(bound('a', 'node-1'))
    instances.tell(bound('a', 'node-2', { flavor: LARGE }))
    expect(usedVcpus()).toEqual({ 'node-1': 0, 'node-2': 4 })

    instances.tell(makeInstance({ name: 'a', uid: 'a' }))
    expect(usedVcpus()).toEqual({ 'node-1': 0, 'node-2': 0 })
  })

  it('is known to a manager that starts after the instances were seen', () => {
    instances.tell(bound('a', 'node-1'))
    hosts = new HostManager(
      {
        nodes: nodes.informer,
        instances: instances.informer,
        liveness: LIVELY,
        facts: world.directory,
        others: world.others,
      },
      { ratios: { cpu: 4, memory: 1, disk: 1 }, reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 } },
    )
    hosts.start()
    expect(usedVcpus()).toEqual({ 'node-1': 1, 'node-2': 0 })
  })

  it('is the later one’s, when an instance was made again under its name', () => {
    instances.tell(bound('a', 'node-1'))
    instances.tell({ ...bound('b', 'node-2'), metadata: { ...bound('a', '').metadata, uid: 'b' } })
    expect(usedVcpus()).toEqual({ 'node-1': 0, 'node-2': 1 })
  })

  it('counts a claim at once, and one and the same instance once when its binding is seen', () => {
    hosts.claim('a', 'node-1', SMALL)
    expect(usedVcpus()).toEqual({ 'node-1': 1, 'node-2': 0 })

    instances.tell(bound('a', 'node-1'))
    expect(usedVcpus()).toEqual({ 'node-1': 1, 'node-2': 0 })

    hosts.settle('a')
    expect(usedVcpus()).toEqual({ 'node-1': 1, 'node-2': 0 })
  })

  it('gives a claim back that did not become a binding', () => {
    hosts.claim('a', 'node-1', SMALL)
    hosts.settle('a')
    hosts.settle('a')
    expect(usedVcpus()).toEqual({ 'node-1': 0, 'node-2': 0 })
  })

  it('follows bindings no longer after it stopped', () => {
    hosts.stop()
    instances.tell(bound('a', 'node-1'))
    expect(usedVcpus()).toEqual({ 'node-1': 0, 'node-2': 0 })
  })
})

describe('whatever happens, in whatever order', () => {
  const uid = fc.constantFrom('a', 'b', 'c')
  const host = fc.constantFrom('node-1', 'node-2')
  const flavor = fc.constantFrom(SMALL, LARGE)
  const vmState = fc.constantFrom<VmState>('building', 'active', 'error', 'deleted')
  const step = fc.oneof(
    fc.record({ kind: fc.constant('bound' as const), uid, host, flavor, vmState }),
    fc.record({ kind: fc.constant('unbound' as const), uid }),
    fc.record({ kind: fc.constant('gone' as const), uid }),
    fc.record({ kind: fc.constant('claim' as const), uid, host, flavor }),
    fc.record({ kind: fc.constant('settle' as const), uid }),
  )

  it('each instance is counted where it is bound, and where it is claimed unless that is its binding', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        begin()
        for (const name of ['node-1', 'node-2']) nodes.tell(makeComputeNode({ name }))
        const bindings = new Map<string, { host: string; flavor: Amounts }>()
        const claims = new Map<string, { host: string; flavor: Amounts }>()
        for (const one of steps) {
          switch (one.kind) {
            case 'bound':
              instances.tell(bound(one.uid, one.host, one))
              if (one.vmState === 'deleted') bindings.delete(one.uid)
              else bindings.set(one.uid, one)
              break
            case 'unbound':
              instances.tell(makeInstance({ name: one.uid, uid: one.uid }))
              bindings.delete(one.uid)
              break
            case 'gone':
              instances.tellGone(makeInstance({ name: one.uid, uid: one.uid }))
              bindings.delete(one.uid)
              break
            case 'claim':
              hosts.claim(one.uid, one.host, one.flavor)
              claims.set(one.uid, one)
              break
            case 'settle':
              hosts.settle(one.uid)
              claims.delete(one.uid)
          }
        }
        const isBound = ([uid, claim]: [string, { host: string; flavor: Amounts }]): boolean => {
          const binding = bindings.get(uid)
          return binding?.host === claim.host && binding.flavor.vcpus === claim.flavor.vcpus
        }
        const pending = [...claims].filter((one) => !isBound(one)).map(([, claim]) => claim)
        const booked = [...bindings.values(), ...pending]
        for (const state of hosts.snapshot()) {
          const here = booked.filter((one) => one.host === state.host)
          expect(state.used).toEqual({
            vcpus: here.reduce((sum, one) => sum + one.flavor.vcpus, 0),
            memoryMb: here.reduce((sum, one) => sum + one.flavor.memoryMb, 0),
            diskGb: here.reduce((sum, one) => sum + one.flavor.diskGb, 0),
          })
        }
      }),
    )
  })
})
