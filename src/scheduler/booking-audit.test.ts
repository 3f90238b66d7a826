import { beforeEach, describe, expect, it } from 'vitest'
import type { Occurrence } from '../kube/event.ts'
import { makeComputeNode, makeInstance } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { BookingAudit, countByKind } from './booking-audit.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const NOTHING = { vcpus: 0, memoryMb: 0, diskGb: 0, runningVms: 0 }
let world: SchedulerWorld
let audit: BookingAudit
let told: Occurrence[]

beforeEach(() => {
  world = new SchedulerWorld()
  world.start()
  told = []
  audit = new BookingAudit(
    {
      nodes: world.nodes.informer,
      instances: world.instances.informer,
      hosts: world.hosts,
      events: { record: (one) => told.push(one) },
      clock: new FakeClock(),
      log: captureLog().log,
    },
    { intervalMs: 1000 },
  )
  putNode(NOTHING)
})

function putNode(usage: typeof NOTHING, vcpus = 8): void {
  const inventory = { vcpus, memoryMb: 4096, diskGb: 40 }
  world.nodes.tell(makeComputeNode({ status: { inventory, usage } }))
}

function bind(name: string): void {
  world.instances.tell(
    makeInstance({ name, uid: name, status: { vmState: 'active', host: 'node-1', flavor: FLAVOR } }),
  )
}

describe('the audit of bookings', () => {
  it('has nothing to tell where all agree', () => {
    bind('a')
    putNode({ ...FLAVOR, runningVms: 1 })
    audit.look()
    audit.look()
    expect(audit.differences).toEqual([])
    expect(Object.fromEntries(countByKind(audit.differences))).toEqual({ ledger: 0, agent: 0, capacity: 0 })
  })

  it('tells once of an agent that claims something else, when it still does at the next look', () => {
    bind('a')
    audit.look()
    expect(audit.differences).toEqual([])
    audit.look()
    audit.look()
    expect(audit.differences).toMatchObject([{ host: 'node-1', kind: 'agent' }])
    expect(told).toMatchObject([
      {
        type: 'Warning',
        reason: 'BookingsDiffer',
        message: 'instances hold 1 vCPUs, 512 MiB, 1 GiB, claimed by the agent 0 vCPUs, 0 MiB, 0 GiB',
      },
    ])
    putNode({ ...FLAVOR, runningVms: 1 })
    audit.look()
    expect(audit.differences).toEqual([])
  })

  it('does not mind a difference that moves: that is traffic', () => {
    for (const name of ['a', 'b', 'c']) {
      bind(name)
      audit.look()
    }
    expect(audit.differences).toEqual([])
  })

  it('tells of a claim that nobody gives back', () => {
    world.hosts.claim('lost', 'node-1', FLAVOR, { project: 'default' })
    audit.look()
    audit.look()
    expect(audit.differences).toMatchObject([{ kind: 'ledger' }])
  })

  it('tells of a host that has less than is booked', () => {
    for (const name of ['a', 'b']) bind(name)
    putNode({ vcpus: 2, memoryMb: 1024, diskGb: 2, runningVms: 2 }, 1)
    audit.look()
    audit.look()
    expect(audit.differences).toEqual([
      {
        host: 'node-1',
        kind: 'capacity',
        details: 'more is booked than there is: free -1 vCPUs, 3072 MiB, 38 GiB',
      },
    ])
  })
})
