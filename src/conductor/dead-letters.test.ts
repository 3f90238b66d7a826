import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { RandomIds } from '../common/ids.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { ActionStore } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import type { DeadLetter } from '../rpc/dead-letter.ts'
import { makeContext, makeRequest } from '../testing/builders.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { DeadLetterOffice } from './dead-letters.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

let kube: EmbeddedKube
let logs: LogCapture
let events: EventRecorder
let actions: ActionStore
let office: DeadLetterOffice

beforeAll(async () => {
  kube = await EmbeddedKube.start()
})
afterAll(() => kube?.close())
beforeEach(() => {
  logs = captureLog()
  const deps = { client: kube.client, clock: new FakeClock(), log: logs.log, ids: new RandomIds() }
  events = new EventRecorder(deps, { component: 'nova-conductor' })
  actions = new ActionStore(deps)
  office = new DeadLetterOffice({ ...deps, instances: new InstanceStore(deps), actions, events })
})
afterEach(async () => {
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

  it.each<{ what: string; status: InstanceStatus; letter?: Partial<DeadLetter> }>([
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
    await actions.end(ctx, refOfInstance(instance), 'stop', { result: 'Error', progress: NO_PROGRESS })
  })
})
