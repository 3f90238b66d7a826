import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { RandomIds } from '../common/ids.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import { COMPUTE_RPC_VERSION, ComputeRpcApi, updateAvailableResource } from '../compute/rpcapi.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { ActionStore } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import type { DeadLetter } from '../rpc/dead-letter.ts'
import { makeContext, makeRequest } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { DeadLetterOffice } from './dead-letters.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

let logs: LogCapture
let events: EventRecorder
let actions: ActionStore
let office: DeadLetterOffice
let rpc: MemoryRpc

useKube()
beforeEach(() => {
  logs = captureLog()
  const clock = new FakeClock()
  rpc = new MemoryRpc(clock)
  const deps = { client: kube.client, clock, log: logs.log, ids: new RandomIds() }
  events = new EventRecorder(deps, { component: 'nova-conductor' })
  actions = new ActionStore(deps)
  const freed = new FreedHosts({ compute: new ComputeRpcApi({ rpc: rpc.client({ service: 'conductor' }) }) })
  office = new DeadLetterOffice({ ...deps, instances: new InstanceStore(deps), actions, events, freed })
})
afterEach(async () => {
  await rpc.close()
  await events.flush()
  for (const { metadata } of (await kube.client.list(INSTANCE)).items)
    await kube.client.delete(INSTANCE, metadata)
  for (const { metadata } of await kube.actions()) await kube.client.delete(INSTANCE_ACTION, metadata)
})

function makeLetter(instance: Instance, fields: Partial<DeadLetter> = {}): DeadLetter {
  return {
    topic: 'compute',
    host: 'node-1',
    method: 'stop_instance',
    ctx,
    args: { instance: refOfInstance(instance) },
    error: { name: 'InstancePowerOffFailure', message: 'refused' },
    attempts: 32,
    ...fields,
  }
}

const FAULT = {
  code: 500,
  reason: 'InstancePowerOffFailure',
  message: 'refused',
  requestId: REQUEST,
  created: NOW,
}

describe('a message that was given up', () => {
  it.each<{
    task: InstanceStatus['taskState'] & string
    vmState: InstanceStatus['vmState'] & string
    action: 'create' | 'stop' | 'start' | 'delete'
    want: InstanceStatus
  }>([
    {
      task: 'scheduling',
      vmState: 'building',
      action: 'create',
      want: { vmState: 'error', status: 'ERROR' },
    },
    { task: 'spawning', vmState: 'building', action: 'create', want: { vmState: 'error', status: 'ERROR' } },
    {
      task: 'powering-off',
      vmState: 'active',
      action: 'stop',
      want: { vmState: 'active', status: 'ACTIVE' },
    },
    {
      task: 'powering-on',
      vmState: 'stopped',
      action: 'start',
      want: { vmState: 'stopped', status: 'SHUTOFF' },
    },
    {
      task: 'deleting',
      vmState: 'active',
      action: 'delete',
      want: { vmState: 'error', taskState: 'deleting' },
    },
  ])(
    'of a $task leaves its instance $want.vmState, with a fault, a record and an event',
    async ({ task, vmState, action, want }) => {
      const status = { vmState, taskState: task, host: 'node-1', requestId: REQUEST }
      const instance = await kube.putInstance({ status })
      await actions.begin(ctx, refOfInstance(instance), action)

      await office.receive(makeLetter(instance))

      const after = (await kube.instance()).status
      expect(after).toMatchObject({ ...want, host: 'node-1', fault: { ...FAULT, host: 'node-1' } })
      expect(after.taskState).toBe(want.taskState)
      expect((await kube.action(`web-${action}-1f0c9a3e`)).status).toMatchObject({
        result: 'Error',
        message: 'refused',
      })
      await events.flush()
      const { items } = await kube.client.list(EVENT, { namespace: 'default' })
      const about = items.filter(({ involvedObject }) => involvedObject.uid === instance.metadata.uid)
      expect(about).toMatchObject([
        {
          type: 'Warning',
          reason: FAULT.reason,
          message: `stop_instance failed 32 times: refused (${REQUEST})`,
        },
      ])
      expect(logs.at('ERROR').join()).toContain(
        'Gave a message up method=stop_instance topic=compute host=node-1 attempts=32',
      )
    },
  )

  it('of a build finds its instance in the request, and keeps the steps it had done', async () => {
    const status = { vmState: 'building', taskState: 'scheduling' } as const
    const instance = await kube.putInstance({ status })
    await actions.begin(ctx, refOfInstance(instance), 'create')
    const step = { name: 'scheduler_select_destinations', host: 'nova-scheduler', startTime: NOW }
    const args = { request: makeRequest({ instance: refOfInstance(instance) }), progress: { events: [step] } }

    await office.receive(
      makeLetter(instance, { topic: 'scheduler', host: undefined, method: 'build_instances', args }),
    )

    expect((await kube.instance()).status).toMatchObject({ vmState: 'error', fault: FAULT })
    expect((await kube.action('web-create-1f0c9a3e')).status).toMatchObject({ events: [step] })
  })

  const MOVING: InstanceStatus = {
    vmState: 'active',
    taskState: 'resize_prep',
    host: 'node-1',
    requestId: REQUEST,
    migration: {
      type: 'migration',
      status: 'preparing',
      oldVmState: 'active',
      sourceHost: 'node-1',
      destHost: 'node-2',
    },
  }

  it('by where an instance was to go leaves it where it is, and that host is free of it', async () => {
    const told: string[] = []
    await rpc.serve(
      { target: { topic: 'compute', host: 'node-2' }, version: COMPUTE_RPC_VERSION },
      (server) => {
        server.handle(updateAvailableResource, async ({ requestId }) => void told.push(requestId))
      },
    )
    const instance = await kube.putInstance({ status: MOVING })
    await actions.begin(ctx, refOfInstance(instance), 'migrate')

    await office.receive(makeLetter(instance, { host: 'node-2', method: 'prep_resize' }))

    const { status } = await kube.instance()
    expect(status).toMatchObject({ vmState: 'active', host: 'node-1', fault: { ...FAULT, host: 'node-2' } })
    expect(status).not.toHaveProperty('taskState')
    expect(status).not.toHaveProperty('migration')
    expect((await kube.action('web-migrate-1f0c9a3e')).status).toMatchObject({ result: 'Error' })
    await until('the destination is told', () => told.length === 1)
    expect(told).toEqual([REQUEST])
  })

  it('ends the InstanceAction that asked for its operation', async () => {
    const action = { name: 'mine', operation: 'rescue' } as const
    const status = {
      vmState: 'active',
      taskState: 'rescuing',
      host: 'node-1',
      requestId: REQUEST,
      action,
    } as const
    const instance = await kube.putInstance({ status })
    await kube.client.create(INSTANCE_ACTION, {
      apiVersion: apiVersionOf(INSTANCE_ACTION),
      kind: INSTANCE_ACTION.kind,
      metadata: { namespace: 'default', name: 'mine' },
      spec: { action: 'rescue', instance: 'web' },
    })

    await office.receive(makeLetter(instance, { method: 'rescue_instance' }))

    expect((await kube.instance()).status).toMatchObject({ vmState: 'error', fault: FAULT })
    expect((await kube.action('mine')).status).toMatchObject({ result: 'Error', message: 'refused' })
  })

  it.each<{ what: string; status: InstanceStatus; letter?: Partial<DeadLetter> }>([
    {
      what: 'to a host that an instance neither is on, nor comes from, nor goes to',
      status: MOVING,
      letter: { host: 'node-3' },
    },
    {
      what: 'whose operation is over',
      status: { vmState: 'stopped', host: 'node-1', requestId: REQUEST },
    },
    {
      what: 'of an operation before the one that is in flight',
      status: { vmState: 'stopped', taskState: 'powering-on', host: 'node-1', requestId: 'req-2' },
    },
    {
      what: 'to a host that has given the instance to another',
      status: { vmState: 'building', taskState: 'spawning', host: 'node-2', attempt: 2, requestId: REQUEST },
    },
    {
      what: 'that is too broken to name an instance',
      status: { vmState: 'active', taskState: 'powering-off', host: 'node-1', requestId: REQUEST },
      letter: { args: undefined, method: '-', raw: 'rubbish' },
    },
  ])('$what changes nothing', async ({ status, letter }) => {
    const instance = await kube.putInstance({ status })
    await office.receive(makeLetter(instance, letter))
    expect(await kube.instance()).toEqual(instance)
    expect(logs.at('ERROR')).toHaveLength(1)
  })

  it('of an instance that is gone is only said', async () => {
    const instance = await kube.putInstance()
    await kube.client.delete(INSTANCE, instance.metadata)
    await expect(office.receive(makeLetter(instance))).resolves.toBeUndefined()
  })
})
