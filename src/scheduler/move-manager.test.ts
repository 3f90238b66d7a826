import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import { RandomIds } from '../common/ids.ts'
import { COMPUTE_QUOTA } from '../apis/v1alpha1/compute-quota.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { COMPUTE_RPC_VERSION, ComputeRpcApi, HOST_METHODS, type HostArgs } from '../compute/rpcapi.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { ActionStore } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { makeComputeNode, makeContext, makeRequest } from '../testing/builders.ts'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { MoveManager } from './move-manager.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 2, memoryMb: 512, diskGb: 1 }
const ctx = makeContext({ requestId: REQUEST })

let rpc: MemoryRpc
let world: SchedulerWorld
let events: EventRecorder
let actions: ActionStore
let logs: LogCapture
let moves: MoveManager
/** What each host was told. */
let told: { readonly host: string; readonly method: string; readonly args: HostArgs }[]

useKube()

beforeEach(async () => {
  const clock = new FakeClock()
  rpc = new MemoryRpc(clock)
  world = new SchedulerWorld({ clock })
  world.start()
  logs = captureLog()
  told = []
  const deps = { client: kube.client, clock, log: logs.log, ids: new RandomIds() }
  events = new EventRecorder(deps, { component: 'nova-scheduler' })
  actions = new ActionStore(deps)
  moves = new MoveManager({
    client: kube.client,
    hosts: world.hosts,
    instances: new InstanceStore({ ...deps, observe: (one) => world.instances.informer.observe(one) }),
    actions,
    events,
    computeRpc: new ComputeRpcApi({ rpc: rpc.client({ service: 'scheduler' }) }),
    scheduler: world.scheduler,
    clock,
    log: logs.log,
  })
  for (const host of ['node-1', 'node-2', 'node-3']) await serveHost(host)
})

afterEach(async () => {
  kube.server.faults.clear()
  await rpc.close()
  await events.flush()
  for (const { metadata } of (await kube.client.list(INSTANCE)).items)
    await kube.client.delete(INSTANCE, metadata)
  for (const { metadata } of await kube.actions()) await kube.client.delete(INSTANCE_ACTION, metadata)
  for (const { metadata } of (await kube.client.list(COMPUTE_NODE)).items)
    await kube.client.delete(COMPUTE_NODE, metadata)
})

async function serveHost(host: string): Promise<void> {
  await rpc.serve({ target: { topic: 'compute', host }, version: COMPUTE_RPC_VERSION }, (server) => {
    for (const method of Object.values(HOST_METHODS)) {
      server.handle(method, async (_ctx, args) => {
        told.push({ host, method: method.name, args })
      })
    }
  })
}

/** Nodes with that many vCPUs, so that more is better. */
function putNodes(vcpus: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(vcpus)) {
    const inventory = { vcpus: count, memoryMb: count * 1024, diskGb: count * 10 }
    world.nodes.tell(makeComputeNode({ name, status: { inventory, availabilityZone: 'west' } }))
  }
}

const WAY = { type: 'migration', status: 'accepted', oldVmState: 'active', sourceHost: 'node-1' } as const
const MIGRATING: InstanceStatus = {
  vmState: 'active',
  taskState: 'resize_prep',
  host: 'node-1',
  flavor: FLAVOR,
  requestId: REQUEST,
  migration: WAY,
}
const UNSHELVING: InstanceStatus = {
  vmState: 'shelved_offloaded',
  taskState: 'unshelving',
  flavor: FLAVOR,
  requestId: REQUEST,
}

/** An instance whose operation nova-api has begun. */
async function begin(status: InstanceStatus): Promise<Instance> {
  const instance = await kube.putInstance({ status })
  world.instances.informer.observe(instance)
  const { taskState } = status
  if (taskState) await actions.begin(ctx, refOfInstance(instance), actionInFlight({ ...status, taskState }))
  return instance
}

async function move(
  instance: Instance,
  fields: Parameters<typeof makeRequest>[0] = {},
  agent?: string,
): Promise<void> {
  const request = makeRequest({ flavor: FLAVOR, ...fields, instance: refOfInstance(instance) })
  await moves.moveInstance(ctx, { request, progress: NO_PROGRESS }, agent)
}

async function untilTold(count = 1): Promise<void> {
  await until('the host is told', () => told.length === count)
}

async function eventsOf(instance: Instance): Promise<unknown[]> {
  await events.flush()
  const { items } = await kube.client.list(EVENT, { namespace: 'default' })
  return items
    .filter(({ involvedObject }) => involvedObject.uid === instance.metadata.uid)
    .map(({ type, reason, message }) => [type, reason, message])
}

describe('an instance that moves', () => {
  it.each<{ what: string; status: InstanceStatus; method: string }>([
    { what: 'is migrated', status: MIGRATING, method: 'prep_resize' },
    {
      what: 'is migrated while it runs',
      status: { ...MIGRATING, taskState: 'migrating', migration: { ...WAY, type: 'live-migration' } },
      method: 'pre_live_migration',
    },
    {
      what: 'is evacuated',
      status: { ...MIGRATING, taskState: 'rebuilding', migration: { ...WAY, type: 'evacuation' } },
      method: 'rebuild_instance',
    },
  ])('because it $what goes to the best host but its own', async ({ status, method }) => {
    putNodes({ 'node-1': 32, 'node-2': 8, 'node-3': 16 })
    if (status.migration?.type === 'evacuation') world.silent.add('node-1')
    const instance = await begin(status)

    await move(instance)

    await untilTold()
    expect(told).toEqual([
      {
        host: 'node-3',
        method,
        args: {
          instance: refOfInstance(instance),
          limits: { vcpus: 16, memoryMb: 16 * 1024, diskGb: 160 },
        },
      },
    ])
    const { status: after } = await kube.instance()
    expect(after).toMatchObject({
      taskState: status.taskState,
      host: 'node-1',
      migration: { ...status.migration, status: 'preparing', destHost: 'node-3' },
    })
    expect(world.hosts.stateOf('node-3')?.used.vcpus).toBe(FLAVOR.vcpus)
    expect(world.hosts.stateOf('node-1')?.used.vcpus).toBe(FLAVOR.vcpus)
  })

  it('books the size it is to have where it goes, and the one it has where it is', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const newFlavor = { name: 'm1.big', vcpus: 5, memoryMb: 2048, diskGb: 10 }
    const migration = { ...WAY, type: 'resize', oldFlavor: FLAVOR, newFlavor } as const
    const instance = await begin({ ...MIGRATING, migration })

    await move(instance, { flavor: newFlavor })

    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(5)
    expect(world.hosts.stateOf('node-1')?.used.vcpus).toBe(FLAVOR.vcpus)
    expect((await kube.instance()).status.flavor).toEqual(FLAVOR)
  })

  it('has why it goes there in its record, and in an event', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin(MIGRATING)

    await move(instance)

    const { status } = await kube.action('web-migrate-1f0c9a3e')
    expect(status).toMatchObject({
      placement: { host: 'node-2' },
      events: [{ name: 'scheduler_select_destinations', host: 'nova-scheduler', result: 'Success' }],
    })
    expect(status).not.toHaveProperty('result')
    expect(await eventsOf(instance)).toEqual([
      ['Normal', 'Scheduled', expect.stringMatching(/^Goes to node-2, the best of 1 that passed/)],
    ])
  })

  it.each([
    { requestedHost: 'node-2', goesTo: 'node-2' },
    { requestedHost: undefined, goesTo: 'node-3' },
  ])('and was asked to go to $requestedHost goes to $goesTo', async ({ requestedHost, goesTo }) => {
    putNodes({ 'node-1': 32, 'node-2': 8, 'node-3': 16 })
    const migration = { ...WAY, ...(requestedHost && { requestedHost }) }
    const instance = await begin({ ...MIGRATING, migration })
    // Where it was once asked to be built does not bind its moves: Nova forgets a forced host as well.
    await move(instance, { requestedHost: 'node-1' })
    expect((await kube.instance()).status.migration?.destHost).toBe(goesTo)
  })

  it('stays in the zone it was asked to be in', async () => {
    putNodes({ 'node-1': 8, 'node-2': 8 })
    world.nodes.tell(makeComputeNode({ name: 'node-3', status: { availabilityZone: 'east' } }))
    const instance = await begin(MIGRATING)
    await move(instance, { availabilityZone: 'west' })
    expect((await kube.instance()).status.migration?.destHost).toBe('node-2')
  })
})

describe('an instance from the shelf', () => {
  it('that was offloaded gets a host, its zone and a booking', async () => {
    putNodes({ 'node-1': 8, 'node-2': 16 })
    const instance = await begin(UNSHELVING)

    await move(instance)

    await untilTold()
    expect(told).toMatchObject([{ host: 'node-2', method: 'unshelve_instance' }])
    expect((await kube.instance()).status).toMatchObject({
      vmState: 'shelved_offloaded',
      taskState: 'unshelving',
      host: 'node-2',
      availabilityZone: 'west',
    })
    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(FLAVOR.vcpus)
  })

  it('that is still on its host stays there', async () => {
    putNodes({ 'node-1': 8, 'node-2': 16 })
    const instance = await begin({ ...UNSHELVING, vmState: 'shelved', host: 'node-1' })
    await move(instance)
    await untilTold()
    expect(told).toMatchObject([{ host: 'node-1', method: 'unshelve_instance' }])
    expect(await kube.instance()).toEqual(instance)
  })
})

describe('where no host is valid', () => {
  it.each<{ what: string; status: InstanceStatus; action: string; want: InstanceStatus }>([
    {
      what: 'a migration changes nothing',
      status: MIGRATING,
      action: 'migrate',
      want: { vmState: 'active', status: 'ACTIVE', host: 'node-1' },
    },
    {
      what: 'a live migration changes nothing',
      status: { ...MIGRATING, taskState: 'migrating', migration: { ...WAY, type: 'live-migration' } },
      action: 'live-migration',
      want: { vmState: 'active', status: 'ACTIVE', host: 'node-1' },
    },
    {
      what: 'a resize changes nothing',
      status: { ...MIGRATING, vmState: 'stopped', migration: { ...WAY, type: 'resize' } },
      action: 'resize',
      want: { vmState: 'stopped', status: 'SHUTOFF', host: 'node-1' },
    },
    {
      what: 'an unshelve leaves it on the shelf',
      status: UNSHELVING,
      action: 'unshelve',
      want: { vmState: 'shelved_offloaded', status: 'SHELVED_OFFLOADED' },
    },
    {
      what: 'an evacuation leaves it in error, as in Nova, to be evacuated again',
      status: { ...MIGRATING, taskState: 'rebuilding', migration: { ...WAY, type: 'evacuation' } },
      action: 'evacuate',
      want: { vmState: 'error', status: 'ERROR', host: 'node-1' },
    },
  ])('$what', async ({ status, action, want }) => {
    putNodes({ 'node-1': 32, 'node-2': 1 })
    if (action === 'evacuate') world.silent.add('node-1')
    // Its own host would do, and is not for it.
    const instance = await begin(status.migration ? status : { ...status, flavor: { ...FLAVOR, vcpus: 99 } })

    await move(instance, status.migration ? {} : { flavor: { ...FLAVOR, vcpus: 99 } })

    const { status: after } = await kube.instance()
    expect(after).toMatchObject({
      ...want,
      fault: { code: 500, reason: 'NoValidHost', requestId: REQUEST },
    })
    expect(after.fault?.message).toContain('No valid host was found.')
    expect(after).not.toHaveProperty('taskState')
    expect(after).not.toHaveProperty('migration')
    if (!want.host) expect(after).not.toHaveProperty('host')
    expect((await kube.action(`web-${action}-1f0c9a3e`)).status).toMatchObject({
      result: 'Error',
      message: after.fault?.message,
      placement: { host: '' },
      events: [{ name: 'scheduler_select_destinations', result: 'Error' }],
    })
    expect(await eventsOf(instance)).toMatchObject([['Warning', 'NoValidHost', expect.any(String)]])
    expect(told).toEqual([])
    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(0)
  })

  it('the one that was asked for is not taken for another', async () => {
    putNodes({ 'node-1': 32, 'node-2': 1, 'node-3': 16 })
    const instance = await begin({ ...MIGRATING, migration: { ...WAY, requestedHost: 'node-2' } })
    await move(instance)
    expect((await kube.instance()).status).toMatchObject({ host: 'node-1', fault: { reason: 'NoValidHost' } })
  })
})

describe('an evacuation', () => {
  const status: InstanceStatus = {
    ...MIGRATING,
    taskState: 'rebuilding',
    migration: { ...WAY, type: 'evacuation' },
  }

  it.each([
    { what: 'there is a host for it', vcpus: 8 },
    { what: 'no other host would do', vcpus: 1 },
  ])('whose host is back before it has another ends where it began: $what', async ({ vcpus }) => {
    putNodes({ 'node-1': 32, 'node-2': vcpus })
    await kube.putNode({ name: 'node-1' })
    const instance = await begin(status)

    await move(instance)

    const { status: after } = await kube.instance()
    expect(after).toMatchObject({
      vmState: 'active',
      host: 'node-1',
      fault: { reason: 'ComputeServiceInUse' },
    })
    for (const field of ['taskState', 'migration']) expect(after).not.toHaveProperty(field)
    expect((await kube.action('web-evacuate-1f0c9a3e')).status).toMatchObject({
      result: 'Error',
      message: expect.stringContaining('Compute service of node-1 is still in use'),
    })
    expect(told).toEqual([])
    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(0)
  })

  it.each<{ what: string; node: Parameters<typeof kube.putNode>[0] | undefined }>([
    { what: 'is said to be down', node: { spec: { forcedDown: true }, status: { state: 'up' } } },
    { what: 'was found to be down', node: { status: { state: 'down' } } },
    { what: 'was removed', node: undefined },
  ])('whose host $what goes on, though the watch has not told it yet', async ({ node }) => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    if (node) await kube.putNode({ ...node, name: 'node-1' })

    await move(await begin(status))

    await untilTold()
    expect(told).toMatchObject([{ host: 'node-2', method: 'rebuild_instance' }])
  })

  it('goes on by the host it has, whatever became of the one it came from: that one’s agent may be late', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin({
      ...status,
      migration: { ...WAY, type: 'evacuation', status: 'preparing', destHost: 'node-2' },
    })

    await move(instance)

    await untilTold()
    expect(told).toMatchObject([{ host: 'node-2', method: 'rebuild_instance' }])
    expect(await kube.instance()).toEqual(instance)
  })
})

it('a resize beyond the quota ends where it began; a move of the same size takes nothing more of it', async () => {
  putNodes({ 'node-1': 32, 'node-2': 32 })
  world.quotas.tell({
    apiVersion: apiVersionOf(COMPUTE_QUOTA),
    kind: COMPUTE_QUOTA.kind,
    metadata: { namespace: 'default', name: 'small' },
    spec: { cores: 1 },
  })
  const newFlavor = { ...FLAVOR, name: 'm1.big', vcpus: 5 }
  const migration = { ...WAY, type: 'resize', oldFlavor: FLAVOR, newFlavor } as const
  await move(await begin({ ...MIGRATING, migration }), { flavor: newFlavor })

  const { status } = await kube.instance()
  expect(status).toMatchObject({ vmState: 'active', host: 'node-1', fault: { reason: 'OverQuota' } })
  expect(status).not.toHaveProperty('taskState')
  expect((await kube.action('web-resize-1f0c9a3e')).status).toMatchObject({ result: 'Error' })
  expect(told).toEqual([])

  await kube.setStatus('web', MIGRATING)
  await move(await kube.instance())
  await untilTold()
})

it('a move of an instance whose group is gone ends where it began', async () => {
  putNodes({ 'node-1': 32, 'node-2': 32 })
  await move(await begin(MIGRATING), { hints: { group: 'gone' } })

  const { status } = await kube.instance()
  expect(status).toMatchObject({ vmState: 'active', fault: { reason: 'InstanceGroupNotFound' } })
  expect(told).toEqual([])
})

describe('a message', () => {
  it('that comes twice has the same host told again, with what it can take', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8, 'node-3': 7 })
    const instance = await begin(MIGRATING)
    await move(instance)
    await untilTold()
    // Another would be the best by now.
    putNodes({ 'node-3': 64 })

    await move(instance)

    await untilTold(2)
    expect(told[1]).toEqual(told[0])
    expect((await kube.instance()).status.migration?.destHost).toBe('node-2')
  })

  it('that comes twice at once claims one host', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8, 'node-3': 8 })
    const instance = await begin(MIGRATING)
    await Promise.all([move(instance), move(instance)])
    await untilTold(2)
    expect(new Set(told.map(({ host }) => host)).size).toBe(1)
    const used = ['node-2', 'node-3'].map((host) => world.hosts.stateOf(host)?.used.vcpus)
    expect(used).toEqual(expect.arrayContaining([0, FLAVOR.vcpus]))
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'when it is over', status: { vmState: 'active', host: 'node-1', requestId: REQUEST } },
    { what: 'when another has come since', status: { ...MIGRATING, requestId: 'req-2' } },
    {
      what: 'when it is past the scheduler',
      status: {
        ...MIGRATING,
        taskState: 'resize_migrating',
        migration: { ...WAY, status: 'running', destHost: 'node-2' },
      },
    },
    {
      what: 'when it is a build that is asked for',
      status: { vmState: 'building', taskState: 'scheduling', requestId: REQUEST },
    },
    { what: 'when it is being deleted', status: { ...MIGRATING, taskState: 'deleting' } },
  ])('of an operation comes late $what, and changes nothing', async ({ status }) => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin(status)
    await move(instance)
    await settle()
    expect(await kube.instance()).toEqual(instance)
    expect(told).toEqual([])
    expect(logs.at('INFO').join()).toContain('Dropped a message that came late')
  })

  it('of an instance that is gone changes nothing', async () => {
    putNodes({ 'node-2': 8 })
    const instance = await begin(MIGRATING)
    await kube.client.delete(INSTANCE, instance.metadata)
    await move(instance)
    expect(told).toEqual([])
    expect(logs.at('INFO').join()).toContain('something else came first')
  })

  it('that is overtaken by a delete books nothing', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin(MIGRATING)
    // The first write finds that somebody wrote in between, and then what that was.
    const disarm = kube.server.faults.refuse({ verb: 'patch', resource: 'instances' }, 409, 1)
    const moving = move(instance)
    await kube.setStatus('web', { ...MIGRATING, taskState: 'deleting' })
    await moving
    disarm()
    expect((await kube.instance()).status).toMatchObject({ taskState: 'deleting', migration: WAY })
    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(0)
    expect(told).toEqual([])
  })

  it('of an agent is heard where that has a say', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    await move(await begin(MIGRATING), {}, 'node-1')
    expect((await kube.instance()).status.migration?.destHost).toBe('node-2')
  })

  it('of an agent is not heard where that has none', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin(MIGRATING)
    await move(instance, {}, 'node-2')
    expect(await kube.instance()).toEqual(instance)
    expect(told).toEqual([])
    expect(logs.at('WARNING').join()).toContain('Ignored an agent that asks for what was never its own')
  })

  it('that could not be carried out leaves no claim behind, and comes again', async () => {
    putNodes({ 'node-1': 32, 'node-2': 8 })
    const instance = await begin(MIGRATING)
    const disarm = kube.server.faults.refuse({ verb: 'patch', resource: 'instances' }, 503, 1)
    await expect(move(instance)).rejects.toThrow()
    expect(world.hosts.stateOf('node-2')?.used.vcpus).toBe(0)
    disarm()

    await move(instance)

    expect((await kube.instance()).status.migration?.destHost).toBe('node-2')
  })
})
