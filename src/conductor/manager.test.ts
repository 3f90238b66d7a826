import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { Forbidden } from '../common/errors/access.ts'
import {
  InstanceNotFound,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { type ActionStore, actionRecordName } from '../objects/action-store.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import type { LogCapture } from '../testing/log-capture.ts'
import type { MemoryRpc } from '../testing/memory-rpc.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { ConductorRpcApi } from './rpcapi.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

let world: ConductorWorld
let rpc: MemoryRpc
let logs: LogCapture
let actions: ActionStore
/** The conductor as the agent of node-1 has it. */
let conductor: ConductorRpcApi

useKube(() => Promise.all([kube.putFlavor(FLAVOR), kube.putImage({ name: 'cirros' })]))

beforeEach(async () => {
  world = new ConductorWorld(kube)
  await world.start()
  ;({ rpc, logs, actions } = world)
  conductor = world.agent('node-1')
})

afterEach(() => world.close())

const SPAWNING: InstanceStatus = {
  vmState: 'building',
  taskState: 'spawning',
  host: 'node-1',
  attempt: 1,
  flavor: FLAVOR,
  requestId: REQUEST,
}

describe('reading', () => {
  it('shows an agent what it needs of an instance', async () => {
    const instance = await kube.putInstance({
      status: {
        ...SPAWNING,
        flavor: { ...FLAVOR, extraSpecs: { 'trait:CUSTOM_SSD': 'required' } },
        triedHosts: ['node-2'],
        shutdownTimeoutSeconds: 30,
      },
    })

    expect(await conductor.instanceGet(ctx, refOfInstance(instance))).toEqual({
      ref: refOfInstance(instance),
      vmState: 'building',
      taskState: 'spawning',
      host: 'node-1',
      attempt: 1,
      requestId: REQUEST,
      flavor: FLAVOR,
      shutdownTimeoutSeconds: 30,
      triedHosts: ['node-2'],
      deleting: false,
    })
  })

  it('tells an instance that is being deleted', async () => {
    const instance = await kube.putInstance({ finalizers: ['example.com/hold'], status: SPAWNING })
    await kube.client.delete(INSTANCE, instance.metadata)
    expect(await conductor.instanceGet(ctx, refOfInstance(instance))).toMatchObject({ deleting: true })
    await kube.client.mergePatch(INSTANCE, instance.metadata, { metadata: { finalizers: [] } })
  })

  it('finds no instance that is gone', async () => {
    const ref = { namespace: 'default', name: 'web', uid: 'gone' }
    await expect(conductor.instanceGet(ctx, ref)).rejects.toThrow(InstanceNotFound)
  })

  it('lists the instances of a host', async () => {
    await kube.putInstance({ name: 'here', status: SPAWNING })
    await kube.putInstance({ name: 'there', status: { ...SPAWNING, host: 'node-2' } })
    const views = await conductor.instanceGetByHost(ctx, 'node-1')
    expect(views.map(({ ref }) => ref.name)).toEqual(['here'])
  })

  it('gives the request to build an instance', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    expect(await conductor.buildRequestGet(ctx, refOfInstance(instance))).toMatchObject({
      instance: refOfInstance(instance),
      flavor: FLAVOR,
      image: { name: 'cirros' },
    })
  })

  it('gives no request, with its user data, to the agent of another host', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await expect(world.agent('node-2').buildRequestGet(ctx, refOfInstance(instance))).rejects.toThrow(
      Forbidden,
    )
  })

  it('lists to an agent the instances of its own host, whatever host it asks for', async () => {
    await kube.putInstance({ name: 'here', status: SPAWNING })
    expect(await world.agent('node-2').instanceGetByHost(ctx, 'node-1')).toEqual([])
  })

  it('says that the API server is in trouble, so that the agent waits', async () => {
    kube.server.faults.refuse({ resource: 'instances' }, 500)
    await expect(conductor.instanceGetByHost(ctx, 'node-1')).rejects.toThrow(KubernetesUnavailable)
  })
})

describe('an update', () => {
  const update = { vmState: 'active', taskState: null, powerState: 'RUNNING' } as const
  const expected = { vmState: ['building'], taskState: ['spawning'], attempt: 1 } as const
  const args = (instance: Instance) => ({
    instance: refOfInstance(instance),
    update,
    expected: { vmState: [...expected.vmState], taskState: [...expected.taskState], attempt: 1 },
  })

  it('that is asked for again, because its answer was lost, is done already, and its record is made up for', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await actions.begin(ctx, refOfInstance(instance), 'create')
    const launchedAt = NOW
    const note = { action: 'create', progress: { events: [] }, end: { result: 'Success' } } as const
    const asked = {
      ...args(instance),
      update: { ...update, launchedAt },
      note: { ...note, progress: { events: [] } },
    }
    kube.server.faults.refuse({ resource: 'instanceactions' }, 503, 1)
    await expect(conductor.instanceUpdate(ctx, asked)).rejects.toThrow(KubernetesUnavailable)

    expect(await conductor.instanceUpdate(ctx, asked)).toMatchObject({ vmState: 'active' })

    expect((await kube.actions())[0]?.status).toMatchObject({ result: 'Success' })
    const another = { ...asked, update: { ...update, launchedAt: '2026-01-01T00:00:01.000Z' } }
    await expect(conductor.instanceUpdate(ctx, another)).rejects.toThrow(UnexpectedTaskStateError)
  })

  it('of the host’s agent is made, and said', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })

    const view = await conductor.instanceUpdate(ctx, args(instance))

    expect(view).toMatchObject({ vmState: 'active', powerState: 'RUNNING', host: 'node-1' })
    expect((await kube.instance()).status).toMatchObject({ vmState: 'active', status: 'ACTIVE' })
    expect(logs.at('INFO').join()).toContain(
      `[${REQUEST} - default] [instance: ${instance.metadata.uid}] Saved instance host=node-1`,
    )
  })

  it('after a read needs no second one', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await conductor.instanceGet(ctx, refOfInstance(instance))
    kube.server.faults.refuse({ resource: 'instances', verb: 'get' }, 500)

    expect(await conductor.instanceUpdate(ctx, args(instance))).toMatchObject({ vmState: 'active' })
  })

  it('is tested on what is there, where what was read before is behind', async () => {
    const instance = await kube.putInstance({ status: { ...SPAWNING, attempt: 2 } })
    await conductor.instanceGet(ctx, refOfInstance(instance))

    await kube.setStatus('web', SPAWNING)
    expect(await conductor.instanceUpdate(ctx, args(instance))).toMatchObject({ vmState: 'active' })

    await conductor.instanceGet(ctx, refOfInstance(instance))
    await kube.setStatus('web', { ...SPAWNING, taskState: 'deleting' })
    const again = { ...args(instance), expected: { vmState: ['active' as const] } }
    await expect(conductor.instanceUpdate(ctx, again)).rejects.toThrow(UnexpectedDeletingTaskStateError)
    expect((await kube.instance()).status.vmState).toBe('building')
  })

  it.each([
    {
      what: 'of another host',
      run: (one: Instance) => world.agent('node-2').instanceUpdate(ctx, args(one)),
      error: UnexpectedTaskStateError,
    },
    {
      what: 'of another host that says it is this one',
      run: (one: Instance) => {
        const forged = { ...args(one), expected: { ...args(one).expected, host: 'node-1' } }
        return world.agent('node-2').instanceUpdate(ctx, forged)
      },
      error: UnexpectedTaskStateError,
    },
    {
      what: 'of an earlier attempt',
      run: (one: Instance) => conductor.instanceUpdate(ctx, { ...args(one), expected: { attempt: 0 } }),
      error: UnexpectedTaskStateError,
    },
    {
      what: 'of a field that is none of an agent’s business',
      run: (one: Instance) => conductor.instanceUpdate(ctx, { ...args(one), update: { attempt: 9 } }),
      error: Forbidden,
    },
    {
      what: 'of a service that is no agent',
      run: (one: Instance) =>
        new ConductorRpcApi({ rpc: rpc.client({ service: 'scheduler' }) }).instanceUpdate(ctx, args(one)),
      error: Forbidden,
    },
    {
      what: 'of an instance that is gone',
      run: (one: Instance) =>
        conductor.instanceUpdate(ctx, { ...args(one), instance: { ...refOfInstance(one), uid: 'gone' } }),
      error: InstanceNotFound,
    },
  ])('$what is refused and changes nothing', async ({ run, error }) => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await expect(run(instance)).rejects.toThrow(error)
    expect(await kube.instance()).toEqual(instance)
  })

  it('is refused as overtaken by a delete where that came first', async () => {
    const instance = await kube.putInstance({ status: { ...SPAWNING, taskState: 'deleting' } })
    await expect(conductor.instanceUpdate(ctx, args(instance))).rejects.toThrow(
      UnexpectedDeletingTaskStateError,
    )
  })

  it('that gives the host back adds it to those that failed', async () => {
    const instance = await kube.putInstance({ status: { ...SPAWNING, attempt: 2, triedHosts: ['node-9'] } })

    await conductor.instanceUpdate(ctx, {
      instance: refOfInstance(instance),
      update: { taskState: 'scheduling', host: null },
      expected: { attempt: 2 },
    })

    const { status } = await kube.instance()
    expect(status).toMatchObject({ taskState: 'scheduling', triedHosts: ['node-9', 'node-1'], attempt: 2 })
    expect(status).not.toHaveProperty('host')
  })

  const progress = {
    events: [
      {
        name: 'compute_stop_instance',
        host: 'node-1',
        startTime: NOW,
        finishTime: NOW,
        result: 'Success' as const,
      },
    ],
  }

  it.each([
    { action: 'create', reason: 'Launched', says: 'Instance is active on node-1' },
    { action: 'start', reason: 'Started', says: 'Instance was started on node-1' },
    { action: 'stop', reason: 'Stopped', says: 'Instance was shut off on node-1' },
    { action: 'pause', reason: 'Paused', says: 'Instance was paused on node-1' },
    { action: 'reboot', reason: 'Rebooted', says: 'Instance was rebooted on node-1' },
    { action: 'rescue', reason: 'Rescued', says: 'Instance runs from its rescue disk on node-1' },
    { action: 'rebuild', reason: 'Rebuilt', says: 'Instance was rebuilt on node-1' },
    { action: 'shelveOffload', reason: 'ShelveOffloaded', says: 'Instance left node-1, which is free of it' },
    { action: 'delete', reason: 'Terminated', says: 'Guest was removed from node-1' },
  ] as const)('that ends a $action ends its record, with an event', async ({ action, reason, says }) => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await actions.begin(ctx, refOfInstance(instance), action)

    await conductor.instanceUpdate(ctx, {
      ...args(instance),
      note: { action, progress, end: { result: 'Success' } },
    })

    expect((await kube.action(actionRecordName('web', action, REQUEST))).status).toMatchObject({
      result: 'Success',
      finishTime: NOW,
      events: progress.events,
    })
    expect(await world.eventsOf(instance)).toEqual([['Normal', reason, `${says} (${REQUEST})`]])
  })

  it('that ends what an InstanceAction asked for ends that one', async () => {
    const action = { name: 'mine', operation: 'rescue' } as const
    const status = { vmState: 'active', taskState: 'rescuing', host: 'node-1', requestId: REQUEST } as const
    const instance = await kube.putInstance({ status: { ...status, action } })
    await kube.client.create(INSTANCE_ACTION, {
      apiVersion: apiVersionOf(INSTANCE_ACTION),
      kind: INSTANCE_ACTION.kind,
      metadata: { namespace: 'default', name: 'mine' },
      spec: { action: 'rescue', instance: 'web' },
    })

    await conductor.instanceUpdate(ctx, {
      instance: refOfInstance(instance),
      update: { vmState: 'rescued', taskState: null },
      expected: { taskState: ['rescuing'] },
      note: { action: 'rescue', progress, end: { result: 'Success' } },
    })

    expect((await kube.actions()).map(({ metadata, status: end }) => [metadata.name, end?.result])).toEqual([
      ['mine', 'Success'],
    ])
  })

  it('that ends a create in failure says why, in record and event', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await actions.begin(ctx, refOfInstance(instance), 'create')
    const fault = {
      code: 500,
      reason: 'BuildAbortException',
      message: 'no',
      requestId: REQUEST,
      created: NOW,
    }

    await conductor.instanceUpdate(ctx, {
      ...args(instance),
      update: { vmState: 'error', taskState: null, fault },
      note: { action: 'create', progress, end: { result: 'Error', message: 'no' } },
    })

    expect((await kube.action('web-create-1f0c9a3e')).status).toMatchObject({
      result: 'Error',
      message: 'no',
    })
    expect(await world.eventsOf(instance)).toEqual([['Warning', 'BuildAbortException', `no (${REQUEST})`]])
  })

  it('in the middle of an operation notes how far it is, and says nothing to the user', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    await actions.begin(ctx, refOfInstance(instance), 'create')

    await conductor.instanceUpdate(ctx, { ...args(instance), note: { action: 'create', progress } })

    const { status } = await kube.action('web-create-1f0c9a3e')
    expect(status).toEqual({ events: progress.events })
    expect(await world.eventsOf(instance)).toEqual([])
  })
})
