import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { ACTION_OF_TASK, type TaskState } from '../../apis/v1alpha1/states.ts'
import type { Result } from '../../kube/controller.ts'
import { refOfInstance } from '../../objects/build-request.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { makeContext } from '../../testing/builders.ts'
import { EmbeddedKube } from '../../testing/embedded-kube.ts'
import { until } from '../../testing/until.ts'
import { RequestContexts } from './request.ts'
import { TaskWatch } from './task-watch.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const REDRIVE_MS = 30_000
const TIMEOUT_MS = 300_000

let kube: EmbeddedKube
let world: ApiWorld
let watch: TaskWatch

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await Promise.all([kube.putFlavor(), kube.putImage()])
})
afterAll(() => kube?.close())
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
  watch = makeWatch()
})
afterEach(() => world.close())

/** A leader that has just begun. */
function makeWatch(): TaskWatch {
  const { api, sender, clock, logs } = world
  const taskTimeoutMs = {
    scheduling: TIMEOUT_MS,
    spawning: TIMEOUT_MS,
    'powering-off': TIMEOUT_MS,
    'powering-on': TIMEOUT_MS,
    deleting: TIMEOUT_MS,
  }
  const contexts = new RequestContexts({ trustsRequester: false })
  const deps = { api, sender, contexts, clock, log: logs.log }
  return new TaskWatch(deps, { redriveAfterMs: REDRIVE_MS, taskTimeoutMs })
}

const TASKS: Readonly<Record<TaskState, { status: InstanceStatus; message: string }>> = {
  scheduling: { status: { vmState: 'building' }, message: 'build_instances' },
  spawning: { status: { vmState: 'building', host: 'node-1', attempt: 1 }, message: 'build_instances' },
  'powering-off': { status: { vmState: 'active', host: 'node-1' }, message: 'stop_instance' },
  'powering-on': { status: { vmState: 'stopped', host: 'node-1' }, message: 'start_instance' },
  deleting: { status: { vmState: 'active', host: 'node-1' }, message: 'terminate_instance' },
}

/** An instance in the middle of a task, whose message has just been sent. */
async function put(taskState: TaskState, status: InstanceStatus = {}): Promise<Instance> {
  const instance = await kube.putInstance({
    status: { ...TASKS[taskState].status, taskState, requestId: REQUEST, ...status },
  })
  await world.actions.begin(
    makeContext({ requestId: REQUEST }),
    refOfInstance(instance),
    ACTION_OF_TASK[taskState],
  )
  return instance
}

/** Looks again after that time. */
async function look(instance: Instance, ms = 0): Promise<Result | undefined> {
  await world.clock.advance(ms)
  return watch.reconcile(instance)
}

const after = (ms: number): Result => ({ kind: 'after', ms })

describe.each(Object.entries(TASKS) as [TaskState, (typeof TASKS)[TaskState]][])(
  'a task %s',
  (task, { message }) => {
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
  },
)

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
  it.each<{ task: TaskState; host: string; want: InstanceStatus }>([
    { task: 'scheduling', host: 'the scheduler', want: { vmState: 'error' } },
    { task: 'spawning', host: 'node-1', want: { vmState: 'error', host: 'node-1' } },
    { task: 'powering-off', host: 'node-1', want: { vmState: 'active', host: 'node-1' } },
    { task: 'powering-on', host: 'node-1', want: { vmState: 'stopped', host: 'node-1' } },
    { task: 'deleting', host: 'node-1', want: { vmState: 'error', taskState: 'deleting', host: 'node-1' } },
  ])('fails: $task, with a fault that names step and host', async ({ task, host, want }) => {
    const instance = await put(task)
    watch.sent(instance)

    for (let ms = 0; ms < TIMEOUT_MS; ms += REDRIVE_MS) {
      expect(await look(instance, REDRIVE_MS)).toEqual(
        ms + REDRIVE_MS < TIMEOUT_MS ? after(REDRIVE_MS) : { kind: 'done' },
      )
    }

    const message = `Task '${task}' made no progress on ${host} for 300 s; see the log of that service for this request`
    const { status } = await kube.instance()
    expect(status).toMatchObject({
      ...want,
      fault: { code: 504, reason: 'TaskTimedOut', message, requestId: REQUEST },
    })
    expect(status.taskState).toBe(want.taskState)
    expect((await kube.action(`web-${ACTION_OF_TASK[task]}-1f0c9a3e`)).status).toMatchObject({
      result: 'Error',
      message,
    })
    expect(await world.events()).toEqual([['Warning', 'TaskTimedOut', `${message} (${REQUEST})`]])
    expect(world.sent).toHaveLength(TIMEOUT_MS / REDRIVE_MS - 1)
  })

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
