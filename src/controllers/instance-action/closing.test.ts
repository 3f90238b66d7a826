import { beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION, type InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import type { ActionName } from '../../apis/v1alpha1/states.ts'
import { ActionStore, actionRecordName } from '../../objects/action-store.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { MemoryKubeClient } from '../../testing/memory-kube-client.ts'
import { ToldInformer } from '../../testing/told-informer.ts'
import { ActionClosing } from './closing.ts'

const GRACE_MS = 30_000
const REQUEST_ID = 'req-11111111-0000-5000-8000-000000000000'

let clock: FakeClock
let client: MemoryKubeClient
let actions: ToldInformer<InstanceAction>
let instances: ToldInformer<Instance>

beforeEach(() => {
  clock = new FakeClock()
  client = new MemoryKubeClient()
  actions = new ToldInformer(INSTANCE_ACTION)
  instances = new ToldInformer(INSTANCE)
  const log = captureLog().log
  const deps = { actions: actions.informer, instances: instances.informer, clock, log }
  new ActionClosing({ ...deps, store: new ActionStore({ client, clock }) }, { graceMs: GRACE_MS }).start()
})

function recordOf(action: ActionName): InstanceAction {
  return {
    apiVersion: 'compute.kilonova.dev/v1alpha1',
    kind: 'InstanceAction',
    metadata: { namespace: 'default', name: actionRecordName('web', action, REQUEST_ID), uid: 'record' },
    spec: {
      action,
      instance: 'web',
      instanceUid: 'uid-1',
      requestId: REQUEST_ID,
      user: '-',
      startTime: '2026-01-01T00:00:00Z',
    },
  }
}

async function put(record: InstanceAction): Promise<void> {
  await client.create(INSTANCE_ACTION, record)
  actions.tell(record)
}

async function begin(action: ActionName): Promise<void> {
  await put(recordOf(action))
}

function web(status: InstanceStatus, uid = 'uid-1'): void {
  instances.tell({
    apiVersion: 'compute.kilonova.dev/v1alpha1',
    kind: 'Instance',
    metadata: { namespace: 'default', name: 'web', uid },
    spec: { flavor: 'm1.tiny', image: 'cirros', powerState: 'Running' },
    status: { requestId: REQUEST_ID, ...status },
  })
}

function end(): unknown {
  const [record] = client.all() as InstanceAction[]
  return record?.status && { result: record.status.result, message: record.status.message }
}

describe('a record that is left open', () => {
  it.each<{ action: ActionName; status: InstanceStatus; result: string; message?: string }>([
    { action: 'create', status: { vmState: 'active', launchedAt: 'then' }, result: 'Success' },
    { action: 'stop', status: { vmState: 'stopped' }, result: 'Success' },
    { action: 'start', status: { vmState: 'active' }, result: 'Success' },
    {
      action: 'stop',
      status: {
        vmState: 'active',
        fault: { code: 500, message: 'it did not', requestId: REQUEST_ID, created: 'then' },
      },
      result: 'Error',
      message: 'it did not',
    },
    {
      action: 'create',
      status: { vmState: 'building', taskState: 'deleting' },
      result: 'Error',
      message: 'It was over before its end was recorded: something else came first',
    },
  ])('of $action is ended after the grace as $result', async ({ action, status, result, message }) => {
    web(status)
    await begin(action)

    await clock.advance(GRACE_MS - 1)
    expect(end()).toBeUndefined()
    await clock.advance(1)
    expect(end()).toMatchObject({ result, ...(message !== undefined && { message }) })
  })

  it.each<{ action: ActionName; status: InstanceStatus; result: string }>([
    { action: 'rebuild', status: { vmState: 'stopped' }, result: 'Success' },
    { action: 'shelve', status: { vmState: 'shelved' }, result: 'Success' },
    { action: 'createImage', status: { vmState: 'paused' }, result: 'Success' },
    { action: 'live-migration', status: { vmState: 'active' }, result: 'Success' },
    { action: 'rescue', status: { vmState: 'error' }, result: 'Error' },
    { action: 'rebuild', status: { vmState: 'active', requestId: 'req-other' }, result: 'Error' },
    { action: 'createImage', status: { vmState: 'active', requestId: 'req-other' }, result: 'Error' },
    {
      action: 'evacuate',
      status: { vmState: 'active', taskState: 'rebuilding', requestId: 'req-other' },
      result: 'Error',
    },
    { action: 'evacuate', status: { vmState: 'active', taskState: 'rebuilding' }, result: 'Error' },
    {
      action: 'migrate',
      status: {
        vmState: 'active',
        taskState: 'resize_prep',
        migration: { type: 'resize', status: 'accepted', oldVmState: 'active' },
      },
      result: 'Error',
    },
  ])('of $action, which a user asked for, is ended as $result after $status', async (one) => {
    web(one.status)
    await begin(one.action)
    await clock.advance(GRACE_MS)
    expect(end()).toMatchObject({ result: one.result })
  })

  it.each<{ action: ActionName; status: InstanceStatus }>([
    { action: 'rebuild', status: { vmState: 'active', taskState: 'rebuilding' } },
    {
      action: 'evacuate',
      status: {
        vmState: 'active',
        taskState: 'rebuilding',
        migration: { type: 'evacuation', status: 'accepted', oldVmState: 'active' },
      },
    },
    {
      action: 'migrate',
      status: {
        vmState: 'active',
        taskState: 'resize_migrated',
        migration: { type: 'migration', status: 'running', oldVmState: 'active' },
      },
    },
    { action: 'confirmResize', status: { vmState: 'resized', taskState: 'resize_confirming' } },
  ])('of $action stays open while that is in flight', async ({ action, status }) => {
    web(status)
    await begin(action)
    await clock.advance(GRACE_MS * 20)
    expect(end()).toBeUndefined()
  })

  it('of a delete is ended when the instance is gone, also when another bears its name', async () => {
    web({ vmState: 'active' }, 'uid-2')
    await begin('delete')

    await clock.advance(GRACE_MS)

    expect(end()).toMatchObject({ result: 'Success' })
  })

  it.each<{ what: string; spec: InstanceAction['spec'] }>([
    { what: 'nobody has accepted yet', spec: { action: 'lock', instance: 'web' } },
    {
      what: 'is done by nova-api itself',
      spec: {
        action: 'lock',
        instance: 'web',
        instanceUid: 'uid-1',
        requestId: REQUEST_ID,
        user: '-',
        startTime: '2026-01-01T00:00:00Z',
      },
    },
  ])('is left to whoever takes it up, if $what', async ({ spec }) => {
    web({ vmState: 'active' })
    await put({ ...recordOf('stop'), spec })

    await clock.advance(GRACE_MS * 20)

    expect(end()).toBeUndefined()
  })

  it('stays open while the operation is in flight, however long', async () => {
    web({ vmState: 'active', taskState: 'powering-off' })
    await begin('stop')

    await clock.advance(GRACE_MS * 20)
    expect(end()).toBeUndefined()

    web({ vmState: 'stopped' })
    await clock.advance(GRACE_MS * 2)
    expect(end()).toMatchObject({ result: 'Success' })
  })
})
