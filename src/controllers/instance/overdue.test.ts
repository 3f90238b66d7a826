import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Instance, InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { VM_STATES } from '../../apis/v1alpha1/states.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { type OverdueOptions, overdueOf, OverdueStates } from './overdue.ts'
import { RequestContexts } from './request.ts'
import { TaskWatch } from './task-watch.ts'

const NEVER = Number.POSITIVE_INFINITY
const OPTIONS = { confirmResizeAfterMs: 1000, offloadShelvedAfterMs: 2000, reclaimAfterMs: 3000 }
const SINCE = '2026-01-01T00:00:00.000Z'
const NOW = Date.parse(SINCE)
const ALL_TIMES = { shelvedAt: SINCE, resizedAt: SINCE, softDeletedAt: SINCE } as const
const MOVED = {
  type: 'migration',
  status: 'finished',
  sourceHost: 'node-2',
  destHost: 'node-1',
  oldVmState: 'active',
} as const

/** What ends by itself, after how long. */
const OVERDUE = [
  { vmState: 'resized', act: 'confirmResize', afterMs: 1000 },
  { vmState: 'shelved', act: 'shelveOffload', afterMs: 2000 },
  { vmState: 'soft-delete', act: 'reclaim', afterMs: 3000 },
] as const

describe('a state that lasts a while', () => {
  it.each(OVERDUE)('$vmState: $act after $afterMs ms', ({ vmState, act, afterMs }) => {
    const status = { vmState, ...ALL_TIMES }
    expect(overdueOf({ status }, OPTIONS, NOW)).toEqual({ act, since: SINCE, inMs: afterMs })
    expect(overdueOf({ status }, OPTIONS, NOW + afterMs - 1)?.inMs).toBe(1)
    expect(overdueOf({ status }, OPTIONS, NOW + afterMs * 9)?.inMs).toBe(0)
  })

  it.each(OVERDUE)(
    '$vmState lasts for ever where it is told to, or nobody knows since when',
    ({ vmState }) => {
      const never = { confirmResizeAfterMs: NEVER, offloadShelvedAfterMs: NEVER, reclaimAfterMs: NEVER }
      expect(overdueOf({ status: { vmState, ...ALL_TIMES } }, never, NOW)).toBeUndefined()
      expect(overdueOf({ status: { vmState } }, OPTIONS, NOW)).toBeUndefined()
    },
  )

  it.each(OVERDUE)('$vmState lasts while something is being done to it, and after that failed', (one) => {
    const status = { vmState: one.vmState, ...ALL_TIMES }
    const fault = { code: 500, message: 'no', requestId: 'req-1', created: SINCE }
    expect(overdueOf({ status: { ...status, taskState: 'deleting' } }, OPTIONS, NOW)).toBeUndefined()
    expect(overdueOf({ status: { ...status, fault } }, OPTIONS, NOW)).toBeUndefined()
  })

  it('is not deleted for good while it is locked, and its host is freed all the same', () => {
    const locked = { ...ALL_TIMES, lockedBy: 'owner' } as const
    const actOf = (status: InstanceStatus): string | undefined => overdueOf({ status }, OPTIONS, NOW)?.act
    expect(actOf({ ...locked, vmState: 'soft-delete' })).toBeUndefined()
    expect(actOf({ ...locked, vmState: 'shelved' })).toBe('shelveOffload')
    expect(actOf({ ...locked, vmState: 'resized' })).toBe('confirmResize')
  })

  it('is no other', () => {
    const others = VM_STATES.filter((vmState) => !OVERDUE.some((one) => one.vmState === vmState))
    for (const vmState of others)
      expect(overdueOf({ status: { vmState, ...ALL_TIMES } }, OPTIONS, NOW)).toBeUndefined()
  })
})

describe('nova-api', () => {
  let world: ApiWorld

  useKube(() => Promise.all([kube.putFlavor(), kube.putImage()]))
  beforeEach(async () => {
    world = new ApiWorld(kube)
    await world.start()
    for (const host of ['node-1', 'node-2']) world.tellHost(host)
  })
  afterEach(() => world.close())

  function leader(options: OverdueOptions = OPTIONS): OverdueStates {
    const { api, sender, clock, logs } = world
    const contexts = new RequestContexts({ trustsRequester: false })
    const deps = { api, sender, contexts, clock, log: logs.log }
    const tasks = new TaskWatch(deps, { redriveAfterMs: 30_000, taskTimeoutMs: () => 1e6 })
    return new OverdueStates({ api, tasks, clock }, options)
  }

  async function put(vmState: 'resized' | 'shelved' | 'soft-delete'): Promise<Instance> {
    const status = { vmState, host: 'node-1', requestId: 'req-1', ...ALL_TIMES, migration: MOVED }
    return kube.putInstance({ status })
  }

  it.each([
    {
      vmState: 'resized',
      taskState: 'resize_confirming',
      message: 'confirm_resize',
      action: 'confirmResize',
    },
    {
      vmState: 'shelved',
      taskState: 'shelving_offloading',
      message: 'shelve_offload_instance',
      action: 'shelveOffload',
    },
  ] as const)(
    'begins $action when its time has come, once',
    async ({ vmState, taskState, message, action }) => {
      const instance = await put(vmState)
      expect(await leader().reconcile(instance)).toEqual({ kind: 'after', ms: expect.any(Number) })
      expect(world.sent).toEqual([])
      await world.clock.advance(3000)

      expect(await leader().reconcile(instance)).toEqual({ kind: 'after', ms: 30_000 })

      const { status } = await kube.instance()
      expect(status).toMatchObject({ vmState, taskState })
      await until('it is sent', () => world.sent.length > 0)
      expect(world.sent).toEqual([`${message} web ${status.requestId}`])
      expect((await kube.actions()).map(({ spec }) => [spec.action, spec.user])).toEqual([[action, '-']])
      // A leader that knows of nothing makes the same request of it: there is no second one.
      await kube.setStatus('web', instance.status)
      await leader().reconcile(await kube.instance())
      expect((await kube.instance()).status.requestId).toBe(status.requestId)
      expect(await kube.actions()).toHaveLength(1)
    },
  )

  it('deletes for good what was deleted for a while', async () => {
    const instance = await put('soft-delete')
    await world.clock.advance(3000)
    expect(await leader().reconcile(instance)).toEqual({ kind: 'done' })
    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
    expect(world.logs.at('INFO').join()).toContain('Reclaimed a soft-deleted instance name=web')
  })

  it('does not confirm a resize while the host it came from is down', async () => {
    const instance = await put('resized')
    world.tellHost('node-2', 'down')
    await world.clock.advance(3000)
    await expect(leader().reconcile(instance)).rejects.toMatchObject({ name: 'ServiceUnavailable' })
    expect(await kube.instance()).toEqual(instance)
  })
})
