import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import {
  FlavorNotFound,
  InstanceInvalidState,
  PolicyNotAuthorized,
  TaskTimedOut,
  UnexpectedTaskStateError,
} from '../common/errors.ts'
import { isConflict } from '../kube/api-error.ts'
import { ApiWorld } from '../testing/api-world.ts'
import { makeContext } from '../testing/builders.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import { until } from '../testing/until.ts'
import { FINALIZER } from './api.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const BEFORE = 'req-0bef0bef-0000-5000-8000-000000000000'
const ctx = makeContext({ requestId: REQUEST })
/** In the middle of an operation. */
const BUSY = { vmState: 'active', taskState: 'powering-off', host: 'node-1', requestId: BEFORE } as const

let kube: EmbeddedKube
let world: ApiWorld

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await Promise.all([kube.putFlavor(), kube.putImage()])
})
afterAll(() => kube?.close())
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
})
afterEach(() => world.close())

async function expectSent(...messages: string[]): Promise<void> {
  await until('the messages are there', () => world.sent.length >= messages.length)
  expect(world.sent).toEqual(messages)
}

describe('create', () => {
  it('gives the instance a finalizer and a record, and has it scheduled', async () => {
    const instance = await kube.putInstance({ finalizers: ['example.com/other'] })

    await world.api.create(ctx, instance)

    const { metadata, status } = await kube.instance()
    expect(metadata.finalizers).toEqual(['example.com/other', FINALIZER])
    expect(status).toMatchObject({ vmState: 'building', taskState: 'scheduling' })
    expect((await kube.action('web-create-1f0c9a3e')).spec).toMatchObject({
      action: 'create',
      instance: 'web',
    })
    expect(world.cache.informer.store.get('default/web')?.metadata).toEqual(metadata)
    await expectSent(`build_instances web ${REQUEST}`)
    expect(world.logs.at('INFO').join()).toContain(
      `[${REQUEST} - default] [instance: ${metadata.uid}] Accepted create of instance name=web flavor=m1.tiny image=cirros`,
    )
  })

  it('of an instance that changed meanwhile is left to the next look', async () => {
    const stale = await kube.putInstance()
    await kube.client.mergePatch(INSTANCE, stale.metadata, { spec: { metadata: { a: 'b' } } })
    await expect(world.api.create(ctx, stale)).rejects.toSatisfy(isConflict)
    expect(world.sent).toEqual([])
  })

  it('of an instance that can never be built says so', async () => {
    const instance = await kube.putInstance({ spec: { flavor: 'm9' } })
    await expect(world.api.create(ctx, instance)).rejects.toThrow(FlavorNotFound)
  })
})

const CASES = [
  { action: 'stop', from: { vmState: 'active' }, task: 'powering-off', message: 'stop_instance' },
  { action: 'start', from: { vmState: 'stopped' }, task: 'powering-on', message: 'start_instance' },
  { action: 'delete', from: { vmState: 'active' }, task: 'deleting', message: 'terminate_instance' },
] as const

describe.each(CASES)('$action', ({ action, from, task, message }) => {
  it('sets the task, records the action and sends the message to the host', async () => {
    const instance = await kube.putInstance({ status: { ...from, host: 'node-1', requestId: BEFORE } })

    await world.api[action](ctx, instance)

    expect((await kube.instance()).status).toMatchObject({
      ...from,
      taskState: task,
      requestId: REQUEST,
      observedGeneration: 1,
    })
    expect((await kube.action(`web-${action}-1f0c9a3e`)).spec).toMatchObject({ action, requestId: REQUEST })
    await expectSent(`${message} web ${REQUEST}`)
    expect(world.logs.at('INFO').join()).toContain(
      `Accepted ${action} of instance name=web host=node-1 task_state=${task}`,
    )
  })
})

describe('an operation that the state does not allow', () => {
  it.each<{ action: 'start' | 'stop'; status: InstanceStatus; says: string }>([
    {
      action: 'stop',
      status: { vmState: 'paused' },
      says: "Cannot 'stop' instance UID while it is in vm_state paused",
    },
    {
      action: 'start',
      status: { vmState: 'stopped', taskState: 'deleting' },
      says: "Cannot 'start' instance UID while it is in task_state deleting",
    },
  ])('is refused and changes nothing: $says', async ({ action, status, says }) => {
    const instance = await kube.putInstance({ status: { ...status, host: 'node-1' } })
    const begun = world.api[action](ctx, instance)
    await expect(begun).rejects.toThrow(InstanceInvalidState)
    await expect(begun).rejects.toThrow(says.replace('UID', instance.metadata.uid ?? ''))
    expect(await kube.instance()).toEqual(instance)
    expect(await kube.actions()).toEqual([])
  })

  it('by now, where a stale copy still did, is given up', async () => {
    const stale = await kube.putInstance({ status: { vmState: 'active', host: 'node-1' } })
    const after = await kube.setStatus('web', { vmState: 'active', taskState: 'deleting', host: 'node-1' })
    await expect(world.api.stop(ctx, stale)).rejects.toThrow()
    expect(await kube.instance()).toEqual(after)
    expect(world.sent).toEqual([])
  })
})

describe('a delete', () => {
  it.each([
    { task: 'scheduling', vmState: 'building', action: 'create' },
    { task: 'spawning', vmState: 'building', action: 'create' },
    { task: 'powering-off', vmState: 'active', action: 'stop' },
  ] as const)(
    'ends the record of the $action whose $task it overtakes',
    async ({ task, vmState, action }) => {
      const status = { vmState, taskState: task, host: 'node-1', requestId: BEFORE }
      const instance = await kube.putInstance({ status })
      const ref = { namespace: 'default', name: 'web', uid: instance.metadata.uid ?? '' }
      await world.actions.begin(makeContext({ requestId: BEFORE }), ref, action)

      await world.api.delete(ctx, instance)

      expect((await kube.action(`web-${action}-0bef0bef`)).status).toMatchObject({
        result: 'Error',
        message: 'Overtaken by delete',
        finishTime: expect.any(String),
      })
      expect((await kube.action('web-delete-1f0c9a3e')).status).toBeUndefined()
    },
  )

  it('of an instance that no host has sends no message', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'error' } })
    await world.api.delete(ctx, instance)
    expect((await kube.instance()).status.taskState).toBe('deleting')
    expect(world.rpc.broker.storedCasts()).toBe(0)
  })

  it('ends when the finalizer is taken off, and only ours', async () => {
    const instance = await kube.putInstance({ finalizers: ['example.com/other', FINALIZER] })
    await world.api.release(ctx, instance)
    expect((await kube.instance()).metadata.finalizers).toEqual(['example.com/other'])
  })
})

describe('a lock', () => {
  it.each<{
    what: string
    before: InstanceStatus
    ask: { readonly override?: boolean; readonly reason?: string }
    after: InstanceStatus
  }>([
    { what: 'is an owner’s', before: {}, ask: {}, after: { lockedBy: 'owner' } },
    {
      what: 'has a reason',
      before: {},
      ask: { reason: 'a demo' },
      after: { lockedBy: 'owner', lockedReason: 'a demo' },
    },
    { what: 'is an administrator’s', before: {}, ask: { override: true }, after: { lockedBy: 'admin' } },
    {
      what: 'of an owner leaves the one that is there, its own too',
      before: { lockedBy: 'owner', lockedReason: 'first' },
      ask: { reason: 'second' },
      after: { lockedBy: 'owner', lockedReason: 'first' },
    },
    {
      what: 'of an owner leaves an administrator’s',
      before: { lockedBy: 'admin' },
      ask: { reason: 'mine' },
      after: { lockedBy: 'admin' },
    },
    {
      what: 'of an administrator takes the place of an owner’s, and keeps its reason',
      before: { lockedBy: 'owner', lockedReason: 'first' },
      ask: { override: true },
      after: { lockedBy: 'admin', lockedReason: 'first' },
    },
    {
      what: 'of an administrator gets another reason',
      before: { lockedBy: 'admin', lockedReason: 'first' },
      ask: { override: true, reason: 'second' },
      after: { lockedBy: 'admin', lockedReason: 'second' },
    },
  ])('$what', async ({ before, ask, after }) => {
    const instance = await kube.putInstance({ status: { ...BUSY, ...before } })

    await world.api.lock(ctx, instance, ask)

    expect(lockOf(await kube.instance())).toEqual(after)
  })

  it.each(['lock', 'unlock'] as const)(
    'is no operation in flight: %s leaves that one as it is',
    async (action) => {
      const status = { ...BUSY, ...(action === 'unlock' && { lockedBy: 'owner' as const }) }
      const instance = await kube.putInstance({ status })

      await world.api[action](ctx, instance, {})

      expect((await kube.instance()).status).toMatchObject(BUSY)
      expect(world.sent).toEqual([])
    },
  )

  it('that an administrator put on meanwhile stays', async () => {
    const stale = await kube.putInstance({ status: { vmState: 'active' } })
    await kube.setStatus('web', { vmState: 'active', lockedBy: 'admin' })
    await expect(world.api.lock(ctx, stale, {})).rejects.toThrow(UnexpectedTaskStateError)
    await expect(world.api.unlock(ctx, { ...stale, status: { lockedBy: 'owner' } }, {})).rejects.toThrow(
      UnexpectedTaskStateError,
    )
    expect(lockOf(await kube.instance())).toEqual({ lockedBy: 'admin' })
  })

  it.each<{ before: InstanceStatus; ask: { readonly override?: boolean } }>([
    { before: {}, ask: {} },
    { before: { lockedBy: 'owner', lockedReason: 'why' }, ask: {} },
    { before: { lockedBy: 'owner' }, ask: { override: true } },
    { before: { lockedBy: 'admin', lockedReason: 'why' }, ask: { override: true } },
  ])('is taken off, if there is one: $before by $ask', async ({ before, ask }) => {
    const instance = await kube.putInstance({ status: { vmState: 'stopped', ...before } })
    await world.api.unlock(ctx, instance, ask)
    expect(lockOf(await kube.instance())).toEqual({})
  })

  it('of an administrator is not for an owner to take off', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', lockedBy: 'admin' } })

    const unlocked = world.api.unlock(ctx, instance, {})

    await expect(unlocked).rejects.toThrow(PolicyNotAuthorized)
    await expect(unlocked).rejects.toThrow(
      "Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed.",
    )
    expect(lockOf(await kube.instance())).toEqual({ lockedBy: 'admin' })
  })
})

function lockOf({ status }: Instance): Pick<InstanceStatus, 'lockedBy' | 'lockedReason'> {
  const { lockedBy, lockedReason } = status
  return { ...(lockedBy && { lockedBy }), ...(lockedReason && { lockedReason }) }
}

describe('a failure', () => {
  const error = new TaskTimedOut({ task: 'spawning', host: 'node-1', seconds: 1800 })
  const SPAWNING = {
    vmState: 'building',
    taskState: 'spawning',
    host: 'node-1',
    attempt: 1,
    requestId: REQUEST,
  } as const
  const failure = { error, update: { vmState: 'error', taskState: null } } as const

  it('ends the operation with fault, record, event and a line', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    const ref = { namespace: 'default', name: 'web', uid: instance.metadata.uid ?? '' }
    await world.actions.begin(ctx, ref, 'create')

    await world.api.fail(ctx, instance, 'create', failure)

    const { message } = error
    expect((await kube.instance()).status).toMatchObject({
      vmState: 'error',
      fault: { code: 504, reason: 'TaskTimedOut', message, host: 'node-1', requestId: REQUEST },
      observedGeneration: 1,
    })
    expect((await kube.action('web-create-1f0c9a3e')).status).toMatchObject({ result: 'Error', message })
    expect(await world.events()).toEqual([['Warning', 'TaskTimedOut', `${message} (${REQUEST})`]])
    expect(world.logs.at('WARNING').join()).toContain('Operation failed action=create')
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'has moved on', status: { vmState: 'active', host: 'node-1', requestId: REQUEST } },
    { what: 'is on the next host by now', status: { ...SPAWNING, host: 'node-2', attempt: 2 } },
  ])('of an instance that $what is not recorded', async ({ status }) => {
    const stale = await kube.putInstance({ status: SPAWNING })
    const after = await kube.setStatus('web', status)
    await expect(world.api.fail(ctx, stale, 'create', failure)).rejects.toThrow(UnexpectedTaskStateError)
    expect(await kube.instance()).toEqual(after)
    expect(await world.events()).toEqual([])
  })
})

it('a change that asks for nothing is noted', async () => {
  const instance = await kube.putInstance({
    status: { vmState: 'active', host: 'node-1', requestId: BEFORE },
  })
  await world.api.acknowledge(ctx, instance)
  expect((await kube.instance()).status).toMatchObject({
    requestId: REQUEST,
    observedGeneration: 1,
    vmState: 'active',
  })
})
