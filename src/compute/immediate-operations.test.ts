import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { PolicyNotAuthorized } from '../common/errors/access.ts'
import { ConsoleNotAvailable } from '../common/errors/guest.ts'
import {
  InstanceIsLocked,
  InstanceNotReady,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { creationRequestId } from '../common/ids.ts'
import { isNotFound } from '../kube/api-error.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { ApiWorld } from '../testing/api-world.ts'
import { makeContext } from '../testing/builders.ts'
import { kube, useKube } from '../testing/use-kube.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const BEFORE = 'req-0bef0bef-0000-5000-8000-000000000000'
const ctx = makeContext({ requestId: REQUEST })
/** In the middle of an operation. */
const BUSY = { vmState: 'active', taskState: 'powering-off', host: 'node-1', requestId: BEFORE } as const

let world: ApiWorld

useKube()
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
})
afterEach(() => world.close())

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

    await world.immediate.lock(ctx, instance, ask)

    expect(lockOf(await kube.instance())).toEqual(after)
  })

  it.each(['lock', 'unlock'] as const)(
    'is no operation in flight: %s leaves that one as it is',
    async (action) => {
      const status = { ...BUSY, ...(action === 'unlock' && { lockedBy: 'owner' as const }) }
      const instance = await kube.putInstance({ status })

      await world.immediate[action](ctx, instance, {})

      expect((await kube.instance()).status).toMatchObject(BUSY)
      expect(world.sent).toEqual([])
    },
  )

  it('that an administrator put on meanwhile stays', async () => {
    const stale = await kube.putInstance({ status: { vmState: 'active' } })
    await kube.setStatus('web', { vmState: 'active', lockedBy: 'admin' })
    await expect(world.immediate.lock(ctx, stale, {})).rejects.toThrow(UnexpectedTaskStateError)
    await expect(
      world.immediate.unlock(ctx, { ...stale, status: { lockedBy: 'owner' } }, {}),
    ).rejects.toThrow(UnexpectedTaskStateError)
    expect(lockOf(await kube.instance())).toEqual({ lockedBy: 'admin' })
  })

  it.each<{ before: InstanceStatus; ask: { readonly override?: boolean } }>([
    { before: {}, ask: {} },
    { before: { lockedBy: 'owner', lockedReason: 'why' }, ask: {} },
    { before: { lockedBy: 'owner' }, ask: { override: true } },
    { before: { lockedBy: 'admin', lockedReason: 'why' }, ask: { override: true } },
  ])('is taken off, if there is one: $before by $ask', async ({ before, ask }) => {
    const instance = await kube.putInstance({ status: { vmState: 'stopped', ...before } })
    await world.immediate.unlock(ctx, instance, ask)
    expect(lockOf(await kube.instance())).toEqual({})
  })

  it('of an administrator is not for an owner to take off', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', lockedBy: 'admin' } })

    const unlocked = world.immediate.unlock(ctx, instance, {})

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

describe('a state that is reset', () => {
  it.each(['active', 'error'] as const)('is %s, and what was in flight has ended', async (state) => {
    const migration = { type: 'migration', status: 'running', oldVmState: 'active' } as const
    const instance = await kube.putInstance({ status: { ...BUSY, migration } })
    await world.actions.begin(makeContext({ requestId: BEFORE }), refOfInstance(instance), 'stop')

    const reset = await world.immediate.resetState(ctx, instance, { state })

    expect(await kube.instance()).toEqual(reset)
    expect(reset.status).toMatchObject({ vmState: state, host: 'node-1' })
    expect(reset.status).not.toHaveProperty('taskState')
    expect(reset.status).not.toHaveProperty('migration')
    expect((await kube.action('web-stop-0bef0bef')).status).toMatchObject({
      result: 'Error',
      message: 'Overtaken by resetState',
    })
    expect(world.sent).toEqual([])
    expect(world.logs.at('INFO').join()).toContain(
      `Reset state of instance from=active to=${state} task_state=powering-off`,
    )
  })

  it('ends the record of a creation that nobody has taken up', async () => {
    const instance = await kube.putInstance()
    const creation = creationRequestId(instance.metadata.uid ?? '')
    await world.actions.begin(makeContext({ requestId: creation }), refOfInstance(instance), 'create')
    await world.immediate.resetState(ctx, instance, { state: 'error' })
    expect((await kube.action(`web-create-${creation.slice(4, 12)}`)).status).toMatchObject({
      result: 'Error',
    })
  })

  it('is not refused by a lock, and may be what it was', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', lockedBy: 'admin' } })
    await world.immediate.resetState(ctx, instance, { state: 'active' })
    expect((await kube.instance()).status).toMatchObject({ vmState: 'active', lockedBy: 'admin' })
  })

  it('is not that of an instance that has changed meanwhile', async () => {
    const stale = await kube.putInstance({ status: BUSY })
    const after = await kube.setStatus('web', { vmState: 'stopped', host: 'node-1', requestId: BEFORE })
    await expect(world.immediate.resetState(ctx, stale, { state: 'error' })).rejects.toThrow(
      UnexpectedTaskStateError,
    )
    expect(await kube.instance()).toEqual(after)
  })
})

describe('a forced delete', () => {
  it.each<InstanceStatus>([BUSY, { vmState: 'soft-delete', host: 'node-1' }, { vmState: 'error' }])(
    'deletes an instance whatever its state: %o',
    async (status) => {
      const instance = await kube.putInstance({ status })
      await world.immediate.forceDelete(ctx, instance)
      await expect(kube.instance()).rejects.toSatisfy(isNotFound)
      await world.immediate.forceDelete(ctx, instance)
    },
  )

  it('does not delete one that is locked', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', lockedBy: 'owner' } })
    await expect(world.immediate.forceDelete(ctx, instance)).rejects.toThrow(InstanceIsLocked)
    expect(await kube.instance()).toEqual(instance)
  })

  it('does not delete another one that took the name', async () => {
    const { metadata } = await kube.putInstance({ status: { vmState: 'active' } })
    await kube.client.delete(INSTANCE, metadata)
    const later = await kube.putInstance({ status: { vmState: 'active' } })
    await world.immediate
      .forceDelete(ctx, { ...later, metadata: { ...later.metadata, uid: metadata.uid ?? '' } })
      .catch(() => undefined)
    expect(await kube.instance()).toEqual(later)
  })
})

describe('the output of a console', () => {
  it.each([
    { lines: undefined, said: 'the last 50 lines on node-1' },
    { lines: 7, said: 'the last 7 lines on node-1' },
  ])('is asked for at the host: $lines lines', async ({ lines, said }) => {
    const instance = await kube.putInstance({ status: BUSY })
    expect(await world.immediate.getConsoleOutput(ctx, instance, lines)).toBe(said)
    expect(await kube.instance()).toEqual(instance)
  })

  it('of an instance that has no host is refused', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'shelved_offloaded' } })
    await expect(world.immediate.getConsoleOutput(ctx, instance)).rejects.toThrow(InstanceNotReady)
  })

  it('of a guest that has none is the host’s error', async () => {
    world.console = async () => {
      throw new ConsoleNotAvailable({ instance: 'i', reason: 'it is off' })
    }
    const instance = await kube.putInstance({ status: BUSY })
    await expect(world.immediate.getConsoleOutput(ctx, instance)).rejects.toThrow(ConsoleNotAvailable)
  })
})
