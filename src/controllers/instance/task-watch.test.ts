import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { stepOf } from '../../apis/v1alpha1/steps.ts'
import { actionInFlight } from '../../apis/v1alpha1/which-operation.ts'
import { TASK_STATES, type TaskState } from '../../apis/v1alpha1/states.ts'
import { INSTANCE_ACTION } from '../../apis/v1alpha1/instance-action.ts'
import type { Result } from '../../kube/controller.ts'
import { apiVersionOf } from '../../kube/resource.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import { refOfInstance } from '../../objects/build-request.ts'
import { nextMessage } from '../../objects/next-message.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { makeContext } from '../../testing/builders.ts'
import { endOfFailure } from '../../testing/operation-cases/failure.ts'
import { OPERATION_CASES } from '../../testing/operation-cases/index.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { RequestContexts } from './request.ts'
import { TaskWatch } from './task-watch.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const REDRIVE_MS = 30_000
const TIMEOUT_MS = 300_000

let world: ApiWorld
let watch: TaskWatch

useKube(() => Promise.all([kube.putFlavor(), kube.putImage()]))
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
  watch = makeWatch()
})
afterEach(() => world.close())

/** A leader that has just begun. */
function makeWatch(taskTimeoutMs: (task: TaskState) => number = () => TIMEOUT_MS): TaskWatch {
  const { api, sender, clock, logs } = world
  const contexts = new RequestContexts({ trustsRequester: false })
  const deps = { api, sender, contexts, clock, log: logs.log }
  return new TaskWatch(deps, { redriveAfterMs: REDRIVE_MS, taskTimeoutMs })
}

/** One case of each task, and of a build at each of its own. */
const TASKS: readonly Task[] = [
  { task: 'scheduling', status: { vmState: 'building' }, message: 'build_instances', host: 'the scheduler' },
  {
    task: 'spawning',
    status: { vmState: 'building', host: 'node-1', attempt: 1 },
    message: 'build_instances',
    host: 'node-1',
  },
  ...TASK_STATES.flatMap((task): Task[] => {
    const one = OPERATION_CASES.find(({ before }) => before.taskState === task)
    if (!one) return []
    const { before: status, method, on: host } = one
    const next = nextMessage({ status: { ...status, taskState: task } as Instance['status'] })
    return [{ task, status, message: next?.to === 'scheduler' ? next.method : method, host }]
  }),
]

interface Task {
  readonly task: TaskState
  readonly status: InstanceStatus
  readonly message: string
  /** Who is said to have stalled. */
  readonly host: string
}

it('there is a case of every task', () => {
  expect(TASKS.map(({ task }) => task).toSorted()).toEqual(TASK_STATES.toSorted())
})

/** An instance in the middle of a task, whose message has just been sent. */
async function put(taskState: TaskState, status: InstanceStatus = {}): Promise<Instance> {
  const before = TASKS.find(({ task }) => task === taskState)?.status
  const instance = await kube.putInstance({
    status: { ...before, taskState, requestId: REQUEST, ...status },
  })
  const action = actionInFlight({ ...instance.status, taskState })
  await world.actions.begin(makeContext({ requestId: REQUEST }), refOfInstance(instance), action)
  return instance
}

/** Looks again after that time. */
async function look(instance: Instance, ms = 0): Promise<Result | undefined> {
  await world.clock.advance(ms)
  return watch.reconcile(instance)
}

const after = (ms: number): Result => ({ kind: 'after', ms })

describe.each(TASKS)('a task $task', ({ task, status: before, message, host }) => {
  it('that makes no progress has its message sent again after the interval, under the same request', async () => {
    const instance = await put(task)
    watch.sent(instance)

    expect(await look(instance)).toEqual(after(REDRIVE_MS))
    expect(await look(instance, REDRIVE_MS - 1)).toEqual(after(1))
    expect(world.sent).toEqual([])
    expect(await look(instance, 1)).toEqual(after(REDRIVE_MS))

    await until('it is sent', () => world.sent.length === 1)
    expect(world.sent).toEqual([`${message} web ${REQUEST}`])
    expect(world.logs.at('INFO')).toHaveLength(1)
  })

  it('that makes no progress for too long fails, with a fault that names step and host', async () => {
    const instance = await put(task)
    watch.sent(instance)

    for (let ms = 0; ms < TIMEOUT_MS; ms += REDRIVE_MS) {
      expect(await look(instance, REDRIVE_MS)).toEqual(
        ms + REDRIVE_MS < TIMEOUT_MS ? after(REDRIVE_MS) : { kind: 'done' },
      )
    }

    const message = `Task '${task}' made no progress on ${host} for 300 s; see the log of that service for this request`
    const { status } = await kube.instance()
    const want = endOfFailure({ ...before, taskState: task }, { isRefused: false })
    expect([status.vmState, status.taskState, status.host]).toEqual([want.vmState, want.taskState, want.host])
    if (!want.taskState) expect(status).not.toHaveProperty('migration')
    expect(status.fault).toMatchObject({ code: 504, reason: 'TaskTimedOut', message, requestId: REQUEST })
    const action = actionInFlight({ ...instance.status, taskState: task })
    const record = await kube.action(actionRecordName('web', action, REQUEST))
    expect(record.status).toMatchObject({ result: 'Error', message })
    expect(await world.events()).toEqual([['Warning', 'TaskTimedOut', `${message} (${REQUEST})`]])
    expect(world.sent).toHaveLength(TIMEOUT_MS / REDRIVE_MS - 1)
  })

  it('has the time that its option gives it', async () => {
    watch = makeWatch((one) => (one === task ? 1000 : 1_000_000))
    const instance = await put(task)
    watch.sent(instance)
    expect(await look(instance, 999)).toEqual(after(REDRIVE_MS - 999))
    expect(await look(instance, 1)).toEqual({ kind: 'done' })
  })

  it('that shuts a guest down has as much more as the guest may take, and no other has', async () => {
    const instance = await put(task, { shutdownTimeoutSeconds: 100 })
    watch.sent(instance)
    await look(instance, TIMEOUT_MS)
    const shutsDown = stepOf(task).driver.includes('powerOff')
    expect((await kube.instance()).status.fault === undefined).toBe(shutsDown)
  })
})

describe('a task that a user asked for by an action', () => {
  it('is its own record: none is begun, and that one says how it ended', async () => {
    const action = { name: 'mine', operation: 'rebuild' }
    const status = { vmState: 'active', taskState: 'rebuilding', host: 'node-1', requestId: REQUEST } as const
    const instance = await kube.putInstance({ status: { ...status, action } })

    await look(instance)
    await until('it is sent', () => world.sent.length === 1)

    expect(await kube.actions()).toEqual([])
    const ref = { metadata: { namespace: 'default', name: 'mine' } }
    const spec = { action: 'rebuild', instance: 'web', image: 'cirros' } as const
    const { apiVersion, kind } = { apiVersion: apiVersionOf(INSTANCE_ACTION), kind: INSTANCE_ACTION.kind }
    await kube.client.create(INSTANCE_ACTION, { apiVersion, kind, ...ref, spec })
    watch.sent(instance)
    await look(instance, TIMEOUT_MS)
    expect((await kube.action('mine')).status).toMatchObject({ result: 'Error' })
  })

  it('has the spec follow that whoever began it may not have come to', async () => {
    const status = { vmState: 'stopped', taskState: 'rebooting_hard', host: 'node-1' } as const
    const instance = await kube.putInstance({
      spec: { powerState: 'Shutdown' },
      status: { ...status, requestId: REQUEST, action: { name: 'mine', operation: 'reboot' } },
    })
    await look(instance)
    expect((await kube.instance()).spec.powerState).toBe('Running')
  })
})

describe('a task', () => {
  it('is sent at once by a leader that has just begun: whether the last one did is not to be told', async () => {
    expect(await look(await put('powering-off'))).toEqual(after(REDRIVE_MS))
    await until('it is sent', () => world.sent.length === 1)
  })

  it('has its record begun again with its message: both may have been lost', async () => {
    const instance = await kube.putInstance({
      status: { vmState: 'active', taskState: 'powering-off', host: 'node-1', requestId: REQUEST },
    })
    await look(instance)
    expect((await kube.action('web-stop-1f0c9a3e')).spec).toMatchObject({
      action: 'stop',
      requestId: REQUEST,
    })
  })

  it.each<{ what: string; next: InstanceStatus }>([
    { what: 'another host', next: { host: 'node-2', attempt: 2 } },
    { what: 'another task', next: { taskState: 'scheduling' } },
    { what: 'another request', next: { requestId: 'req-2' } },
    {
      what: 'another part of its migration',
      next: { migration: { type: 'migration', status: 'running', oldVmState: 'active' } },
    },
    {
      what: 'another destination',
      next: {
        migration: { type: 'migration', status: 'accepted', oldVmState: 'active', destHost: 'node-9' },
      },
    },
  ])('that moves on to $what has all its time again', async ({ next }) => {
    const instance = await put('spawning')
    watch.sent(instance)
    await look(instance, TIMEOUT_MS - 1)
    await until('it is sent again', () => world.sent.length === 1)
    const moved = { ...instance, status: { ...instance.status, ...next } }

    expect(await look(moved, 1)).toEqual(after(REDRIVE_MS))
    expect(world.sent).toHaveLength(1)
    expect((await kube.instance()).status.fault).toBeUndefined()
  })

  it('of another instance does not matter', async () => {
    const instance = await put('spawning')
    watch.sent(instance)
    const idle = {
      ...instance,
      metadata: { ...instance.metadata, uid: 'other' },
      status: { vmState: 'active' },
    } as const
    expect(await watch.reconcile(idle)).toBeUndefined()
    expect(await look(instance)).toEqual(after(REDRIVE_MS))
  })

  it('that is over is no concern, and the next one begins anew', async () => {
    const instance = await put('powering-off')
    watch.sent(instance)
    expect(await look({ ...instance, status: { vmState: 'stopped', requestId: REQUEST } })).toBeUndefined()
    await look(instance)
    await until('it is sent at once', () => world.sent.length === 1)
  })

  it('of an instance that was forgotten is looked at as by a new leader', async () => {
    const instance = await put('powering-off')
    watch.sent(instance)
    watch.forget(instance.metadata.uid ?? '')
    await look(instance)
    await until('it is sent at once', () => world.sent.length === 1)
  })
})

describe('a task that makes no progress for too long', () => {
  it('gives a stop as much more as the guest may take', async () => {
    const instance = await put('powering-off', { shutdownTimeoutSeconds: 100 })
    watch.sent(instance)
    expect(await look(instance, TIMEOUT_MS + 99_999)).toEqual(after(REDRIVE_MS))
    expect(await look(instance, 1)).toEqual({ kind: 'done' })
    expect((await kube.instance()).status.fault?.message).toContain('for 400 s')
  })

  it('is sent on when it is a delete: something may be left to remove', async () => {
    const instance = await put('deleting')
    watch.sent(instance)
    await look(instance, TIMEOUT_MS)
    expect(await look(await kube.instance())).toEqual(after(REDRIVE_MS))
    await until('it is sent again', () => world.sent.length === 1)
  })
})

it('a build that can never be sent again ends in error', async () => {
  const instance = await put('scheduling')
  const gone = { ...instance, spec: { ...instance.spec, image: 'none' } }

  expect(await look(gone)).toEqual({ kind: 'done' })

  expect((await kube.instance()).status).toMatchObject({
    vmState: 'error',
    fault: { reason: 'ImageNotFound' },
  })
})

it('a message that cannot be sent now is tried again', async () => {
  const instance = await put('scheduling')
  kube.server.faults.refuse({ resource: 'images' }, 500, 1)
  await expect(look(instance)).rejects.toThrow()
  expect(await look(instance)).toEqual(after(REDRIVE_MS))
  expect((await kube.client.list(INSTANCE)).items[0]?.status.vmState).toBe('building')
})
