import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import type { RequestContext } from '../common/context.ts'
import { RandomIds } from '../common/ids.ts'
import {
  type BuildAndRunArgs,
  buildAndRunInstance,
  COMPUTE_RPC_VERSION,
  ComputeRpcApi,
} from '../compute/rpcapi.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { ActionStore } from '../objects/action-store.ts'
import { type BuildRequest, refOfInstance } from '../objects/build-request.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { makeComputeNode, makeContext, makeRequest } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import type { ToldInformer } from '../testing/told-informer.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { HostManager } from './host-manager.ts'
import { SchedulerManager } from './manager.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const GPU = { hw_firmware_type: 'uefi' } as const
const ctx = makeContext({ requestId: REQUEST })

let clock: FakeClock
let rpc: MemoryRpc
let nodes: ToldInformer<ComputeNode>
let cache: ToldInformer<Instance>
let hosts: HostManager
let world: SchedulerWorld
let events: EventRecorder
let actions: ActionStore
let logs: LogCapture
let manager: SchedulerManager
/** What each host was sent. */
let sent: { host: string; ctx: RequestContext; args: BuildAndRunArgs }[]

useKube()

beforeEach(async () => {
  clock = new FakeClock()
  rpc = new MemoryRpc(clock)
  world = new SchedulerWorld({ clock })
  ;({ nodes, instances: cache, hosts } = world)
  logs = captureLog()
  sent = []
  world.start()
  const deps = { client: kube.client, clock, log: logs.log, ids: new RandomIds() }
  events = new EventRecorder(deps, { component: 'nova-scheduler' })
  actions = new ActionStore(deps)
  manager = makeManager()
  for (const host of ['node-1', 'node-2', 'node-3']) await serveHost(host)
})

afterEach(async () => {
  kube.server.faults.clear()
  await rpc.close()
  await events.flush()
  const { items } = await kube.client.list(INSTANCE)
  await Promise.all(items.map(({ metadata }) => kube.client.delete(INSTANCE, metadata)))
  for (const { metadata } of await kube.actions()) await kube.client.delete(INSTANCE_ACTION, metadata)
})

function makeManager(maxAttempts = 3): SchedulerManager {
  return new SchedulerManager(
    {
      hosts,
      instances: new InstanceStore({
        client: kube.client,
        clock,
        observe: (one) => cache.informer.observe(one),
      }),
      cache: cache.informer,
      actions,
      events,
      computeRpc: new ComputeRpcApi({ rpc: rpc.client({ service: 'scheduler' }) }),
      scheduler: world.scheduler,
      clock,
      log: logs.log,
    },
    { maxAttempts },
  )
}

async function serveHost(host: string): Promise<void> {
  await rpc.serve({ target: { topic: 'compute', host }, version: COMPUTE_RPC_VERSION }, (server) => {
    server.handle(buildAndRunInstance, async (context, args) => {
      sent.push({ host, ctx: context, args })
    })
  })
}

/** Nodes with that many vCPUs, so that more is better. */
function putNodes(vcpus: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(vcpus)) {
    const inventory = { vcpus: count, memoryMb: count * 1024, diskGb: count * 10 }
    nodes.tell(makeComputeNode({ name, status: { inventory, availabilityZone: 'west' } }))
  }
}

/** An instance as the API service has accepted it. */
async function accept(status?: InstanceStatus, name = 'web'): Promise<Instance> {
  const instance = await kube.putInstance({ name, ...(status && { status }) })
  cache.informer.observe(instance)
  await actions.begin(ctx, refOfInstance(instance), 'create')
  return instance
}

function requestFor(instance: Instance, fields: Parameters<typeof makeRequest>[0] = {}): BuildRequest {
  return makeRequest({ ...fields, instance: refOfInstance(instance) })
}

async function build(instance: Instance, fields: Parameters<typeof makeRequest>[0] = {}): Promise<void> {
  await manager.buildInstances(ctx, { request: requestFor(instance, fields), progress: NO_PROGRESS })
}

async function createAction(instance: Instance): Promise<object | undefined> {
  const records = await kube.actions()
  return records.find(({ spec }) => spec.instanceUid === instance.metadata.uid)?.status
}

async function eventsOf(instance: Instance): Promise<unknown[]> {
  await events.flush()
  const { items } = await kube.client.list(EVENT, { namespace: 'default' })
  return items
    .filter(({ involvedObject }) => involvedObject.uid === instance.metadata.uid)
    .map(({ type, reason, message }) => [type, reason, message])
}

const GIVEN_BACK: InstanceStatus = {
  vmState: 'building',
  taskState: 'scheduling',
  attempt: 1,
  triedHosts: ['node-2'],
  alternates: ['node-1'],
  flavor: FLAVOR,
  requestId: REQUEST,
}

describe('an instance without a host', () => {
  it('is bound to the best host and sent there with its claim, limits and explanation', async () => {
    putNodes({ 'node-1': 4, 'node-2': 16, 'node-3': 8 })
    const instance = await accept()

    await build(instance, { properties: { os_shutdown_timeout: 30 } })

    expect((await kube.instance()).status).toMatchObject({
      vmState: 'building',
      taskState: 'spawning',
      host: 'node-2',
      availabilityZone: 'west',
      attempt: 1,
      alternates: ['node-3', 'node-1'],
      flavor: FLAVOR,
      shutdownTimeoutSeconds: 30,
      requestId: REQUEST,
      observedGeneration: 1,
    })
    await until('the host has the message', () => sent.length === 1)
    expect(sent[0]).toMatchObject({
      host: 'node-2',
      ctx: { requestId: REQUEST },
      args: {
        attempt: 1,
        limits: { vcpus: 16, memoryMb: 16_384, diskGb: 160 },
        progress: {
          events: [{ name: 'scheduler_select_destinations', host: 'nova-scheduler', result: 'Success' }],
          placement: { host: 'node-2', considered: 3 },
        },
      },
    })
    expect(await eventsOf(instance)).toEqual([
      [
        'Normal',
        'Scheduled',
        expect.stringMatching(
          new RegExp(
            `^Bound to node-2, the best of 3 that passed, of 3 considered; weights: node-2 .*, node-1 .*\\(${REQUEST}\\)$`,
          ),
        ),
      ],
    ])
  })

  it.each<{ what: string; extraSpecs: Record<string, string> }>([
    { what: 'what its flavor asks of a host', extraSpecs: { 'hw:cpu_policy': 'shared' } },
    // Written down as well: else it would count as not known.
    { what: 'that its flavor asks nothing of a host', extraSpecs: {} },
  ])('carries $what from then on', async ({ extraSpecs }) => {
    putNodes({ 'node-1': 4 })
    await build(await accept(), { extraSpecs })
    expect((await kube.instance()).status.flavor).toEqual({ ...FLAVOR, extraSpecs })
  })

  it('carries its image from then on', async () => {
    putNodes({ 'node-1': 4 })
    const imageMeta = { ...makeRequest({ properties: GPU }).image, minRamMb: 64, minDiskGb: 1 }
    await build(await accept(), { image: imageMeta })
    expect((await kube.instance()).status.imageMeta).toEqual(imageMeta)
  })

  it('carries no image, where an older version says less of it than that', async () => {
    putNodes({ 'node-1': 4 })
    await build(await accept())
    const { status } = await kube.instance()
    expect(status.host).toBe('node-1')
    expect(status).not.toHaveProperty('imageMeta')
  })

  it('is counted on its host, and no longer counted twice, once it is bound', async () => {
    putNodes({ 'node-1': 4 })
    await build(await accept())
    expect(hosts.snapshot()[0]?.used).toEqual({ vcpus: 1, memoryMb: 512, diskGb: 1 })
  })

  it('is found although the message was faster than the watch', async () => {
    putNodes({ 'node-1': 4 })
    const instance = await kube.putInstance()
    await build(instance)
    expect((await kube.instance()).status.host).toBe('node-1')
  })

  describe('that the watch still shows as it was before its sender saw it', () => {
    let seen: Instance
    let calls: { reads: number; writes: number }
    let building: Promise<void>

    beforeEach(async () => {
      putNodes({ 'node-1': 4 })
      const stale = await accept()
      seen = await kube.client.mergePatch(INSTANCE, stale.metadata, {
        metadata: { labels: { seen: 'by-its-sender' } },
      })
      calls = { reads: 0, writes: 0 }
      kube.server.faults.refuse(({ verb, resource }) => {
        if (resource === 'instances' && verb === 'get') calls.reads += 1
        if (resource === 'instances' && verb === 'patch') calls.writes += 1
        return false
      }, 500)
      const seenVersion = seen.metadata.resourceVersion
      building = manager.buildInstances(ctx, {
        request: requestFor(seen),
        progress: NO_PROGRESS,
        seenVersion,
      })
    })

    it('is waited for and bound by one write, without a read', async () => {
      cache.informer.observe(seen)
      await building
      expect(calls).toEqual({ reads: 0, writes: 1 })
      expect((await kube.instance()).status.host).toBe('node-1')
    })

    it('is read when the watch does not bring it, and bound by one write', async () => {
      await clock.advance(250)
      await building
      expect(calls).toEqual({ reads: 1, writes: 1 })
      expect((await kube.instance()).status.host).toBe('node-1')
    })
  })

  it('says each step once at INFO, under its request', async () => {
    putNodes({ 'node-1': 4, 'node-2': 2 })
    const instance = await accept()
    await build(instance)
    const about = `nova.scheduler.manager [${REQUEST} - default] [instance: ${instance.metadata.uid}]`
    expect(logs.at('INFO').map((line) => line.replace(/^.*INFO /, ''))).toEqual([
      `${about} Selected host host=node-1 attempt=1 considered=2 passed=2 weights=node-1:3,node-2:1.5`,
      `${about} Bound instance to host host=node-1`,
    ])
  })

  it('that was given back goes to its first alternate, and never to a host that failed', async () => {
    putNodes({ 'node-1': 4, 'node-2': 16, 'node-3': 8 })
    await build(await accept(GIVEN_BACK))

    expect((await kube.instance()).status).toMatchObject({
      host: 'node-1',
      attempt: 2,
      alternates: ['node-3'],
    })
    await until('the host has the message', () => sent.length === 1)
    expect(sent[0]).toMatchObject({ host: 'node-1', args: { attempt: 2 } })
  })

  it('that was given back is placed anew although the watch still shows its old host', async () => {
    putNodes({ 'node-1': 4, 'node-2': 16 })
    const stale = await accept({ ...GIVEN_BACK, taskState: 'spawning', host: 'node-2', triedHosts: [] })
    await kube.setStatus('web', GIVEN_BACK)

    await build(stale)

    expect((await kube.instance()).status).toMatchObject({ host: 'node-1', attempt: 2 })
    await until('the host has the message', () => sent.length === 1)
    expect(sent.map(({ host, args }) => [host, args.attempt])).toEqual([['node-1', 2]])
  })

  it('keeps no more alternates than its status holds', async () => {
    putNodes(Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`node-${n}`, n + 1])))
    manager = makeManager(16)
    await build(await accept())
    expect((await kube.instance()).status).toMatchObject({ host: 'node-11', alternates: expect.any(Array) })
    expect((await kube.instance()).status.alternates).toHaveLength(8)
  })
})

describe('an instance that is bound already', () => {
  const BOUND: InstanceStatus = {
    vmState: 'building',
    taskState: 'spawning',
    host: 'node-1',
    attempt: 2,
    flavor: FLAVOR,
    requestId: REQUEST,
  }

  it('is sent to its host again, with its attempt and what the host can take', async () => {
    putNodes({ 'node-1': 4, 'node-2': 16 })
    const instance = await accept(BOUND)

    await build(instance)

    await until('the host has the message', () => sent.length === 1)
    expect(sent[0]).toMatchObject({
      host: 'node-1',
      args: { attempt: 2, limits: { vcpus: 4, memoryMb: 4096, diskGb: 40 } },
    })
    expect(await kube.instance()).toEqual(instance)
  })

  it('is sent with limits of nothing to a host that is not there any more, which sends it back', async () => {
    await build(await accept(BOUND))
    await until('the host has the message', () => sent.length === 1)
    expect(sent[0]?.args.limits).toEqual({ vcpus: 0, memoryMb: 0, diskGb: 0 })
  })
})

describe('an instance that was overtaken', () => {
  it.each([
    { what: 'deleted', overtake: (one: Instance) => kube.client.delete(INSTANCE, one.metadata) },
    {
      what: 'on its way to be deleted',
      overtake: () => kube.setStatus('web', { vmState: 'building', taskState: 'deleting' }),
    },
    { what: 'in error already', overtake: () => kube.setStatus('web', { vmState: 'error' }) },
  ])('because it is $what, is left alone, and nothing stays claimed', async ({ overtake }) => {
    putNodes({ 'node-1': 4 })
    const instance = await accept()
    await overtake(instance)
    const before = await kube.client.list(INSTANCE)

    await build(instance)

    expect((await kube.client.list(INSTANCE)).items).toEqual(before.items)
    expect(hosts.snapshot()[0]?.used.vcpus).toBe(0)
    expect(rpc.broker.storedCasts()).toBe(0)
    expect(logs.at('INFO').join()).toContain('Stopped scheduling the instance: something else came first')
    expect(logs.at('WARNING')).toEqual([])
  })

  it('because another of its name was made, does not touch that one', async () => {
    putNodes({ 'node-1': 4 })
    const gone = await accept()
    await kube.client.delete(INSTANCE, gone.metadata)
    const later = await accept()

    await build(gone)

    expect(await kube.instance()).toEqual(later)
  })
})

describe('an instance that no host can take', () => {
  it('ends in error with the numbers, in fault, record and event', async () => {
    putNodes({ 'node-1': 4, 'node-2': 2 })
    nodes.tell(makeComputeNode({ name: 'node-3', spec: { disabled: true, disabledReason: 'new disks' } }))
    const instance = await accept()

    await build(instance, { flavor: { vcpus: 4, memoryMb: 5000 } })

    const message =
      'No valid host was found. Of 3 hosts, ComputeFilter took out 1 (1 disabled: new disks); ResourceFilter took out 2 ' +
      '(1 without room: MEMORY_MB 5000 asked, 4096 free | 1 without room: VCPU 4 asked, 2 free; MEMORY_MB 5000 asked, 2048 free).'
    const { status } = await kube.instance()
    expect(status).toMatchObject({
      vmState: 'error',
      fault: { code: 500, reason: 'NoValidHost', message, requestId: REQUEST },
      requestId: REQUEST,
      observedGeneration: 1,
    })
    expect(status).not.toHaveProperty('taskState')
    expect(status).not.toHaveProperty('host')
    expect(await createAction(instance)).toMatchObject({
      result: 'Error',
      message,
      events: [{ name: 'scheduler_select_destinations', result: 'Error', details: message }],
      placement: { host: '', considered: 3 },
    })
    expect(await eventsOf(instance)).toEqual([['Warning', 'NoValidHost', `${message} (${REQUEST})`]])
    expect(sent).toEqual([])
  })

  it('says that there are no hosts at all', async () => {
    await build(await accept())
    expect((await kube.instance()).status.fault?.message).toBe(
      'No valid host was found. There are no compute nodes.',
    )
  })

  const failedOn = (host: string, details: string) => ({
    events: [
      {
        name: 'compute__do_build_and_run_instance',
        host,
        startTime: '2026-01-01T00:00:00Z',
        result: 'Error' as const,
        details,
      },
    ],
  })

  it('after as many attempts as there may be says where it was tried and what failed last', async () => {
    putNodes({ 'node-1': 4 })
    const instance = await accept({ ...GIVEN_BACK, attempt: 3, triedHosts: ['node-2', 'node-3', 'node-4'] })

    await manager.buildInstances(ctx, {
      request: requestFor(instance),
      progress: failedOn('node-4', 'no KVM'),
    })

    expect((await kube.instance()).status).toMatchObject({
      vmState: 'error',
      fault: {
        reason: 'MaxRetriesExceeded',
        message:
          'Exceeded maximum number of build attempts (3) on node-2, node-3, node-4. Last failure: no KVM',
      },
    })
    expect(await createAction(instance)).toMatchObject({
      result: 'Error',
      events: [{ details: 'no KVM' }, { name: 'scheduler_select_destinations' }],
    })
  })

  it('after every host failed says so before its attempts are used up', async () => {
    putNodes({ 'node-2': 4 })
    const instance = await accept(GIVEN_BACK)

    await manager.buildInstances(ctx, {
      request: requestFor(instance),
      progress: failedOn('node-2', 'no KVM'),
    })

    expect((await kube.instance()).status.fault?.message).toBe(
      'Exceeded maximum number of build attempts (1) on node-2. Last failure: no KVM; no other host is valid: ' +
        'Of 1 hosts, RetryFilter took out 1 (1 failed to build it before).',
    )
  })
})

describe('an agent that asks', () => {
  const ask = async (agent: string, instance: Instance): Promise<void> =>
    manager.buildInstances(ctx, { request: requestFor(instance), progress: NO_PROGRESS }, agent)

  it('for an instance that was never its own is not heard', async () => {
    putNodes({ 'node-1': 4, 'node-3': 4 })
    const waiting = await accept(GIVEN_BACK)
    const bound = await accept(
      { vmState: 'building', taskState: 'spawning', host: 'node-1', attempt: 1 },
      'bound',
    )

    await ask('node-3', waiting)
    await ask('node-3', bound)

    expect((await kube.instance()).status).toMatchObject({ taskState: 'scheduling' })
    expect((await kube.instance()).status.host).toBeUndefined()
    expect(sent).toEqual([])
    expect(logs.at('WARNING').join()).toContain(
      'Ignored an agent that asks for what was never its own host=node-3',
    )
  })

  it('for one that it has given back is heard, also where the cache does not know that yet', async () => {
    putNodes({ 'node-1': 4 })
    const before = await accept({ vmState: 'building', taskState: 'scheduling' })
    await kube.setStatus('web', GIVEN_BACK)

    await ask('node-2', before)

    expect((await kube.instance()).status).toMatchObject({ host: 'node-1' })
  })
})

describe('trouble', () => {
  it('with the API server gives the claim back, and the message is delivered again', async () => {
    putNodes({ 'node-1': 4 })
    const instance = await accept()
    kube.server.faults.refuse({ verb: 'patch', resource: 'instances', subresource: 'status' }, 500, 1)

    await expect(build(instance)).rejects.toThrow()
    expect(hosts.snapshot()[0]?.used.vcpus).toBe(0)

    await build(instance)
    expect((await kube.instance()).status.host).toBe('node-1')
  })

  it('with the answer to the binding alone loses nothing: the host, the claim, and why', async () => {
    putNodes({ 'node-1': 4, 'node-2': 2 })
    const instance = await accept()
    kube.server.faults.loseAnswer({ verb: 'patch', resource: 'instances', subresource: 'status' }, 1)

    await build(instance)

    await until('the host has the message', () => sent.length === 1)
    expect(sent[0]).toMatchObject({
      host: 'node-1',
      args: {
        attempt: 1,
        progress: {
          events: [{ name: 'scheduler_select_destinations', result: 'Success' }],
          placement: { host: 'node-1', considered: 2 },
        },
      },
    })
    expect(hosts.snapshot()[0]?.used.vcpus).toBe(1)
  })

  it('with a message that comes twice at the same time books nothing twice, and no host too full', async () => {
    putNodes({ 'node-1': 1, 'node-2': 1 })
    const [one, other] = [await accept(undefined, 'one'), await accept(undefined, 'other')]
    kube.server.faults.delay({ verb: 'patch', resource: 'instances', subresource: 'status', name: 'one' }, 50)

    await Promise.all([build(one), build(one), build(other)])

    const hostsOf = [(await kube.instance('one')).status.host, (await kube.instance('other')).status.host]
    expect(new Set(hostsOf)).toEqual(new Set(['node-1', 'node-2']))
    expect(hosts.snapshot().map(({ used }) => used.vcpus)).toEqual([1, 1])
  })

  it('with many at once never oversells a host', async () => {
    putNodes({ 'node-1': 3, 'node-2': 2 })
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => accept(undefined, `web-${n}`)))

    await Promise.all(all.map((one) => build(one)))

    const { items } = await kube.client.list(INSTANCE)
    const count = (host: string | undefined): number =>
      items.filter(({ status }) => status.host === host).length
    expect([count('node-1'), count('node-2'), count(undefined)]).toEqual([3, 2, 3])
    expect(items.filter(({ status }) => status.vmState === 'error')).toHaveLength(3)
  })
})
