import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SERVER_GROUP } from '../apis/v1alpha1/server-group.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { makeComputeNode, makeInstance, makeRequest } from '../testing/builders.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { groupKey } from './host-manager.ts'
import { capacityOf } from './host-state.ts'

const ASKED = { ignoreHosts: [], preferHosts: [], maxAlternates: 2 }
const HOSTS = ['node-1', 'node-2', 'node-3', 'node-4']
const GROUPS = { apart: 'anti-affinity', pairs: 'anti-affinity', together: 'affinity' } as const
const MOST = { apart: 1, pairs: 2 } as const

function makeWorld(): SchedulerWorld {
  const world = new SchedulerWorld()
  world.start()
  for (const name of HOSTS) {
    const inventory = { vcpus: 6, memoryMb: 6000, diskGb: 60 }
    world.nodes.tell(makeComputeNode({ name, status: { inventory } }))
  }
  for (const [name, policy] of Object.entries(GROUPS)) {
    world.groups.tell({
      apiVersion: apiVersionOf(SERVER_GROUP),
      kind: SERVER_GROUP.kind,
      metadata: { namespace: 'default', name },
      spec: { policy, ...(name === 'pairs' && { rules: { maxServerPerHost: MOST.pairs } }) },
    })
  }
  return world
}

interface Placed {
  readonly uid: string
  readonly host: string
  readonly group: keyof typeof GROUPS | undefined
  readonly flavor: {
    readonly name: string
    readonly vcpus: number
    readonly memoryMb: number
    readonly diskGb: number
  }
  state: 'claimed' | 'bound' | 'settled'
}

const flavor = fc.record({
  name: fc.constant('any'),
  vcpus: fc.integer({ min: 1, max: 4 }),
  memoryMb: fc.integer({ min: 1, max: 3000 }),
  diskGb: fc.nat(30),
})
const group = fc.constantFrom(undefined, 'apart' as const, 'pairs' as const, 'together' as const)
/** A launch, or something that befalls an instance that is there: its binding is seen, its claim ends, it goes. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ flavor, group }) },
  { weight: 4, arbitrary: fc.record({ befalls: fc.nat() }) },
)

describe('whatever comes between', () => {
  it('no host is booked beyond what it has, and every group’s policy holds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = makeWorld()
        const placed: Placed[] = []
        for (const [n, one] of steps.entries()) {
          if ('befalls' in one) goOn(world, placed, one.befalls)
          else launch(world, placed, { uid: `uid-${n}`, ...one })
          check(world, placed)
        }
      }),
    )
  })
})

function launch(
  world: SchedulerWorld,
  placed: Placed[],
  { uid, flavor: size, group: name }: Pick<Placed, 'uid' | 'flavor' | 'group'>,
): void {
  const hints = name && { group: name }
  const request = makeRequest({ instance: { uid, name: uid }, flavor: size, hints })
  const { host } = world.scheduler.select(request, ASKED)
  if (!host) return
  const owner = { project: 'default', ...(name && { group: groupKey('default', name) }) }
  world.hosts.claim(uid, host.host, size, owner)
  placed.push({ uid, host: host.host, flavor: size, group: name, state: 'claimed' })
}

/** Claimed, then bound as the watch shows it, then settled, then gone. */
function goOn(world: SchedulerWorld, placed: Placed[], which: number): void {
  const at = which % Math.max(1, placed.length)
  const one = placed[at]
  if (!one) return
  const { uid, host, flavor: size, group: name } = one
  const spec = name === undefined ? {} : { schedulerHints: { group: name } }
  const instance = makeInstance({ name: uid, uid, spec, status: { vmState: 'active', host, flavor: size } })
  switch (one.state) {
    case 'claimed':
      world.instances.tell(instance)
      one.state = 'bound'
      break
    case 'bound':
      world.hosts.settle(uid)
      one.state = 'settled'
      break
    case 'settled':
      world.instances.tellGone(instance)
      placed.splice(at, 1)
  }
}

function check(world: SchedulerWorld, placed: readonly Placed[]): void {
  for (const state of world.hosts.snapshot()) {
    const here = placed.filter(({ host }) => host === state.host)
    const capacity = capacityOf(state)
    for (const kind of ['vcpus', 'memoryMb', 'diskGb'] as const) {
      const booked = here.reduce((sum, one) => sum + one.flavor[kind], 0)
      expect(state.used[kind]).toBe(booked)
      expect(booked).toBeLessThanOrEqual(capacity[kind])
    }
    for (const [name, most] of Object.entries(MOST)) {
      expect(here.filter((one) => one.group === name).length).toBeLessThanOrEqual(most)
    }
  }
  expect(new Set(placed.filter((one) => one.group === 'together').map(({ host }) => host)).size).toBeLessThan(
    2,
  )
}
