import { beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_QUOTA, type ComputeQuota } from '../apis/v1alpha1/compute-quota.ts'
import { HOST_AGGREGATE, type HostAggregateSpec } from '../apis/v1alpha1/host-aggregate.ts'
import { SERVER_GROUP } from '../apis/v1alpha1/server-group.ts'
import { ApiError } from '../kube/api-error.ts'
import type { Informer } from '../kube/informer.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../kube/resource.ts'
import { makeComputeNode, makeInstance } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { aggregateReport } from './aggregate-report.ts'
import { type Report, StatusReporter } from './status-reporter.ts'
import { groupReport, quotaReport } from './usage-reports.ts'

const FLAVOR = { name: 'm1.small', vcpus: 2, memoryMb: 2048, diskGb: 20 }
let world: SchedulerWorld
let clock: FakeClock

beforeEach(() => {
  clock = new FakeClock()
  world = new SchedulerWorld()
  world.start()
})

/** Made by a user, and seen by the scheduler. */
async function given<T extends KubeObject>(
  type: ResourceType<T>,
  informer: Informer<T>,
  object: T,
): Promise<void> {
  informer.observe(await world.client.create(type, object))
}

function reporterOf<T extends KubeObject>(report: Report<T>, log = captureLog().log): StatusReporter<T> {
  return new StatusReporter({ client: world.client, clock, log }, report, {
    intervalMs: 1000,
  })
}

function bind(name: string, host: string, group?: string): void {
  world.instances.tell(
    makeInstance({
      name,
      uid: name,
      spec: group === undefined ? {} : { schedulerHints: { group } },
      status: { vmState: 'active', host, flavor: FLAVOR },
    }),
  )
}

function makeQuota(name: string): ComputeQuota {
  return {
    apiVersion: apiVersionOf(COMPUTE_QUOTA),
    kind: COMPUTE_QUOTA.kind,
    metadata: { namespace: 'default', name },
    spec: { instances: 10 },
  }
}

const writes = (): readonly string[] => world.client.requests.filter((one) => one.startsWith('patch'))

describe('a quota', () => {
  const reporter = (): StatusReporter<ComputeQuota> =>
    reporterOf(quotaReport({ quotas: world.quotas.informer, hosts: world.hosts }))

  it('shows what its namespace has: once for all that came between two looks, and not again', async () => {
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('small'))
    const shown = reporter()
    for (const name of ['a', 'b', 'c']) bind(name, 'node-1')
    await shown.look()
    await shown.look()
    expect(writes()).toEqual(['patch ComputeQuota/small'])
    expect(world.quotas.informer.store.get('default/small')?.status).toEqual({
      used: { instances: 3, cores: 6, ram: 6144 },
    })

    world.instances.tellGone(makeInstance({ name: 'a', uid: 'a' }))
    await shown.look()
    expect(world.quotas.informer.store.get('default/small')?.status).toMatchObject({ used: { instances: 2 } })
  })

  it('that somebody changed meanwhile is shown at a later look', async () => {
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('small'))
    const changed = await world.client.mergePatch(
      COMPUTE_QUOTA,
      { namespace: 'default', name: 'small' },
      { spec: { instances: 5 } },
    )
    const { log, lines } = captureLog()
    const shown = reporterOf(quotaReport({ quotas: world.quotas.informer, hosts: world.hosts }), log)
    await shown.look()
    expect(world.quotas.informer.store.get('default/small')?.status).toBeUndefined()
    world.quotas.informer.observe(changed)
    await shown.look()
    expect(world.quotas.informer.store.get('default/small')).toMatchObject({
      spec: { instances: 5 },
      status: { used: { instances: 0 } },
    })
    expect(lines).toEqual([])
  })

  it('is not asked to be written again while the API server has not answered', async () => {
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('small'))
    const shown = reporter()
    world.client.isHanging = true
    const first = shown.look()
    await shown.look()
    world.client.isHanging = false
    await first
    expect(writes()).toHaveLength(1)
  })

  it('that cannot be written is said once, and tried again, less and less often', async () => {
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('small'))
    const { log, lines } = captureLog()
    const shown = reporterOf(quotaReport({ quotas: world.quotas.informer, hosts: world.hosts }), log)
    world.client.failure = new Error('etcd is full')
    for (let seconds = 0; seconds < 600; seconds += 2) {
      await shown.look()
      await clock.advance(2_000)
    }
    expect(lines.filter((line) => line.includes('Could not write a status'))).toHaveLength(1)
    world.client.failure = undefined
    await clock.advance(120_000)
    await shown.look()
    expect(writes()).toHaveLength(1)
  })

  it('is written though many others cannot be', async () => {
    for (let n = 0; n < 50; n++) await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota(`q-${n}`))
    const shown = reporter()
    world.client.failure = new Error('refused')
    await shown.look()
    world.client.failure = undefined
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('last'))
    await shown.look()
    expect(writes()).toEqual(['patch ComputeQuota/last'])
  })

  it('that is not served with a status is said', async () => {
    await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota('small'))
    const { log, lines } = captureLog()
    const shown = reporterOf(quotaReport({ quotas: world.quotas.informer, hosts: world.hosts }), log)
    world.client.failure = new ApiError({ code: 404, reason: 'NotFound', message: '404 page not found' })
    await shown.look()
    expect(lines.join('\n')).toContain('404 page not found')
  })

  it('of very many, so many are written at a look, and the others at the next', async () => {
    for (let n = 0; n < 60; n++) await given(COMPUTE_QUOTA, world.quotas.informer, makeQuota(`q-${n}`))
    const shown = reporter()
    await shown.look()
    expect(writes()).toHaveLength(50)
    await shown.look()
    expect(writes()).toHaveLength(60)
  })
})

it('a group shows its members and on how many hosts they are', async () => {
  await given(SERVER_GROUP, world.groups.informer, {
    apiVersion: apiVersionOf(SERVER_GROUP),
    kind: SERVER_GROUP.kind,
    metadata: { namespace: 'default', name: 'web' },
    spec: { policy: 'soft-anti-affinity' },
  })
  bind('a', 'node-1', 'web')
  bind('b', 'node-1', 'web')
  bind('c', 'node-2', 'web')
  bind('other', 'node-3')
  // One that moves is there twice, and is one member.
  const migration = {
    type: 'resize',
    status: 'finished',
    sourceHost: 'node-1',
    destHost: 'node-2',
    oldVmState: 'active',
  } as const
  world.instances.tell(
    makeInstance({
      name: 'd',
      uid: 'd',
      spec: { schedulerHints: { group: 'web' } },
      status: { vmState: 'resized', host: 'node-2', flavor: FLAVOR, migration },
    }),
  )
  await reporterOf(groupReport({ groups: world.groups.informer, hosts: world.hosts })).look()
  expect(world.groups.informer.store.get('default/web')?.status).toEqual({ members: 4, hosts: 2 })
})

describe('an aggregate', () => {
  const CLOCK = new FakeClock()

  async function shownOf(spec: HostAggregateSpec, name = 'rack'): Promise<unknown> {
    const { aggregates, directory } = world
    await given(HOST_AGGREGATE, aggregates.informer, {
      apiVersion: apiVersionOf(HOST_AGGREGATE),
      kind: HOST_AGGREGATE.kind,
      metadata: { name },
      spec,
    })
    const isHost = (host: string): boolean => world.nodes.informer.store.get(host) !== undefined
    const { log } = captureLog()
    await reporterOf(
      aggregateReport({ aggregates: aggregates.informer, directory, isHost, clock: CLOCK, log }),
    ).look()
    return aggregates.informer.store.get(name)?.status
  }

  it.each<[string, HostAggregateSpec, { hosts: number; status: string; message: string }]>([
    ['all is well', { hosts: ['node-1'] }, { hosts: 1, status: 'True', message: '' }],
    [
      'a host is not there',
      { hosts: ['node-1', 'gone'] },
      { hosts: 1, status: 'False', message: 'there is no host gone' },
    ],
    [
      'no host has the labels',
      { nodeSelector: { rack: 'r9' } },
      { hosts: 0, status: 'False', message: 'no Node that is a host has these labels' },
    ],
    [
      'a number is none',
      { hosts: ['node-1'], metadata: { cpu_allocation_ratio: 'two' } },
      { hosts: 1, status: 'False', message: "metadata cpu_allocation_ratio 'two' is no number it can be" },
    ],
  ])('says of what it is written: %s', async (_name, spec, { hosts, status, message }) => {
    world.nodes.tell(makeComputeNode({ name: 'node-1' }))
    expect(await shownOf(spec)).toMatchObject({ hosts, conditions: [{ type: 'Ready', status, message }] })
  })

  it('says that another one puts its hosts in another zone', async () => {
    world.nodes.tell(makeComputeNode({ name: 'node-1' }))
    await shownOf({ hosts: ['node-1'], availabilityZone: 'east' }, 'a')
    expect(await shownOf({ hosts: ['node-1'], availabilityZone: 'west' }, 'b')).toMatchObject({
      conditions: [
        { status: 'False', message: 'another aggregate puts node-1 in another zone, which holds' },
      ],
    })
  })
})
