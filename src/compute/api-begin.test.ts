import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Instance, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../apis/v1alpha1/instance-action.ts'
import { OPERATION_NAMES, OPERATIONS, type OperationName } from '../apis/v1alpha1/operations.ts'
import { actionRecordName } from '../objects/action-store.ts'
import { ApiWorld } from '../testing/api-world.ts'
import { makeContext } from '../testing/builders.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { AskedBy } from './api.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const BEFORE = 'req-0bef0bef-0000-5000-8000-000000000000'
const ctx = makeContext({ requestId: REQUEST })
const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const MOVED = { type: 'resize', status: 'finished', sourceHost: 'node-2', destHost: 'node-1' } as const

let world: ApiWorld

useKube(() =>
  Promise.all([
    kube.putFlavor(SMALL),
    kube.putFlavor({ ...SMALL, name: 'm1.big', vcpus: 2 }),
    kube.putImage(),
  ]),
)
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
  for (const host of ['node-1', 'node-2']) world.tellHost(host)
})
afterEach(() => world.close())

/** What is begun by a task, and the message that is sent then, to whom. */
const BEGUN = {
  delete: 'terminate_instance node-1',
  start: 'start_instance node-1',
  stop: 'stop_instance node-1',
  pause: 'pause_instance node-1',
  unpause: 'unpause_instance node-1',
  suspend: 'suspend_instance node-1',
  resume: 'resume_instance node-1',
  rebootSoft: 'reboot_instance node-1',
  rebootHard: 'reboot_instance node-1',
  rescue: 'rescue_instance node-1',
  unrescue: 'unrescue_instance node-1',
  rebuild: 'rebuild_instance node-1',
  resize: 'move_instance',
  confirmResize: 'confirm_resize node-2',
  revertResize: 'revert_resize node-1',
  migrate: 'move_instance',
  'live-migration': 'move_instance',
  evacuate: 'move_instance',
  shelve: 'shelve_instance node-1',
  shelveOffload: 'shelve_offload_instance node-1',
  unshelve: 'move_instance',
  createImage: 'snapshot_instance node-1',
  softDelete: 'soft_delete_instance node-1',
  restore: 'restore_instance node-1',
} as const satisfies Partial<Record<OperationName, string>>
type Begun = keyof typeof BEGUN

const CASES = (Object.entries(BEGUN) as [Begun, string][]).map(([name, message]) => {
  const operation = OPERATIONS[name]
  const [vmState = 'active'] = operation.vmStates === 'any' ? [] : operation.vmStates
  const status: InstanceStatus = {
    vmState,
    host: 'node-1',
    flavor: SMALL,
    requestId: BEFORE,
    ...(vmState === 'resized' && { migration: { ...MOVED, oldVmState: 'active', oldFlavor: SMALL } }),
  }
  return { name, message, status, task: operation.path[0], action: operation.action }
})

/** The action that asks for it, where a user asks for it by one. */
function askedFor(name: OperationName): AskedBy | undefined {
  const { action, askedBy } = OPERATIONS[name]
  if (askedBy === 'Instance') return undefined
  const spec: InstanceActionSpec = {
    action,
    instance: 'web',
    ...(name === 'rebuild' && { image: 'cirros' }),
    ...(name === 'createImage' && { imageName: 'snap' }),
  }
  return { name: 'mine', spec }
}

/** An instance for which it can be done: its flavor is to change, its host is down, … */
async function put(name: OperationName, status: InstanceStatus): Promise<Instance> {
  if (name === 'evacuate') world.tellHost('node-1', 'down')
  return kube.putInstance({ spec: { flavor: name === 'resize' ? 'm1.big' : 'm1.tiny' }, status })
}

async function begin(name: OperationName, instance: Instance): Promise<Instance> {
  return world.api.begin(ctx, instance, name, askedFor(name))
}

it('there is a case of every operation that has a task, but the creation', () => {
  const withTask = OPERATION_NAMES.filter((name) => OPERATIONS[name].path.length > 0 && name !== 'create')
  expect(Object.keys(BEGUN).toSorted()).toEqual(withTask.toSorted())
})

describe.each(CASES)('$name', ({ name, message, status, task, action }) => {
  it('sets the task, has a record, and tells whose turn it is', async () => {
    const instance = await put(name, status)

    const begun = await begin(name, instance)

    const asked = askedFor(name)
    expect(begun.status).toMatchObject({
      vmState: status.vmState,
      taskState: task,
      requestId: REQUEST,
      host: 'node-1',
      ...(asked && { action: { name: 'mine', operation: action } }),
    })
    expect((await kube.instance()).status).toEqual(begun.status)
    const [method = '', host] = message.split(' ')
    await until('it is sent', () => world.sent.length === 1)
    expect(world.sent).toEqual([`${method} web ${REQUEST}`])
    expect(world.sentTo).toEqual(host === undefined ? [] : [host])
    // What a user asked for is its own record; what is asked for on the Instance gets one, and its generation is noted.
    const records = (await kube.actions()).map(({ metadata, spec }) => `${metadata.name} ${spec.action}`)
    expect(records).toEqual(asked ? [] : [`${actionRecordName('web', action, REQUEST)} ${action}`])
    expect(begun.status.observedGeneration).toBe(asked ? undefined : 1)
    expect(world.logs.at('INFO').join()).toContain(
      `Accepted ${action} of instance name=web host=node-1 task_state=${task}`,
    )
  })

  it('is refused first by the lock, if a user asks, then by the host, then by the state', async () => {
    const operation = OPERATIONS[name]
    const wrong = { ...status, vmState: 'building', taskState: 'spawning', lockedBy: 'owner' } as const
    const { host: _, ...nowhere } = wrong
    const asked = askedFor(name)
    const refusal = (of: InstanceStatus, by: AskedBy | undefined): string => {
      try {
        world.api.check(instance(of), name, { byUser: by !== undefined })
        return 'none'
      } catch (error) {
        return error instanceof Error ? error.name : 'no error'
      }
    }
    const instance = (of: InstanceStatus): Instance => ({ ...web, status: of })
    const web = await put(name, status)

    const byState = operation.vmStates === 'any' ? 'none' : 'InstanceInvalidState'
    const byHost = operation.host === 'any' ? byState : 'InstanceNotReady'
    const byLock = asked && operation.lock === 'refuses' ? 'InstanceIsLocked' : byHost
    expect([refusal(nowhere, asked), refusal(nowhere, undefined), refusal(wrong, undefined)]).toEqual([
      byLock,
      byHost,
      byState,
    ])
    expect(refusal(status, asked)).toBe('none')
  })

  it('by now is not allowed, where a stale copy still did: nothing is changed or sent', async () => {
    const stale = await put(name, status)
    const after = await kube.setStatus('web', { ...status, taskState: 'deleting', requestId: 'req-2' })
    await expect(begin(name, stale)).rejects.toThrow(/Conflict updating instance/)
    expect(await kube.instance()).toEqual(after)
    expect(world.sent).toEqual([])
  })
})

describe('the host', () => {
  it.each<{ name: OperationName; node: string; state: 'up' | 'down'; error: string | undefined }>([
    { name: 'resize', node: 'node-1', state: 'down', error: 'ServiceUnavailable' },
    { name: 'migrate', node: 'node-1', state: 'down', error: 'ServiceUnavailable' },
    { name: 'live-migration', node: 'node-1', state: 'down', error: 'ServiceUnavailable' },
    { name: 'evacuate', node: 'node-1', state: 'up', error: 'ComputeServiceInUse' },
    { name: 'evacuate', node: 'node-1', state: 'down', error: undefined },
    { name: 'stop', node: 'node-1', state: 'down', error: undefined },
    { name: 'delete', node: 'node-1', state: 'down', error: undefined },
    { name: 'confirmResize', node: 'node-2', state: 'down', error: 'ServiceUnavailable' },
    { name: 'revertResize', node: 'node-2', state: 'down', error: 'ServiceUnavailable' },
  ])('$node being $state, $name: $error', async ({ name, node, state, error }) => {
    const one = CASES.find((each) => each.name === name)
    const instance = await put(name, one?.status ?? {})
    world.tellHost(node, state)
    const check = (): void => world.api.check(instance, name, { byUser: false })
    if (error) expect(check).toThrow(expect.objectContaining({ name: error }))
    else expect(check).not.toThrow()
  })
})

describe('an operation that overtakes another', () => {
  it.each<{ name: OperationName; before: InstanceStatus; action: string }>([
    { name: 'delete', before: { vmState: 'building', taskState: 'scheduling' }, action: 'create' },
    { name: 'delete', before: { vmState: 'building', taskState: 'spawning' }, action: 'create' },
    { name: 'delete', before: { vmState: 'active', taskState: 'powering-off' }, action: 'stop' },
    { name: 'delete', before: { vmState: 'active', taskState: 'rebuilding' }, action: 'rebuild' },
    { name: 'rebootHard', before: { vmState: 'active', taskState: 'pausing' }, action: 'pause' },
    { name: 'rebootHard', before: { vmState: 'active', taskState: 'rebooting' }, action: 'reboot' },
    { name: 'rebootHard', before: { vmState: 'active', taskState: 'rebooting_hard' }, action: 'reboot' },
    { name: 'evacuate', before: { vmState: 'active', taskState: 'powering-off' }, action: 'stop' },
    { name: 'evacuate', before: { vmState: 'active', taskState: 'rebuilding' }, action: 'rebuild' },
  ])('$name, over $before.taskState, ends its record', async ({ name, before, action }) => {
    const instance = await put(name, { ...before, host: 'node-1', flavor: SMALL, requestId: BEFORE })
    const ref = { namespace: 'default', name: 'web', uid: instance.metadata.uid ?? '' }
    const { action: overtaking } = OPERATIONS[name]
    for (const each of OPERATION_NAMES) {
      if (OPERATIONS[each].action === action)
        await world.actions.begin(makeContext({ requestId: BEFORE }), ref, OPERATIONS[each].action)
    }

    await begin(name, instance)

    expect((await kube.action(`web-${action}-0bef0bef`)).status).toMatchObject({
      result: 'Error',
      message: `Overtaken by ${overtaking}`,
      finishTime: expect.any(String),
    })
  })

  it('ends the record that a user made for it', async () => {
    const status = { vmState: 'active', taskState: 'rebuilding', host: 'node-1', requestId: BEFORE } as const
    const instance = await kube.putInstance({
      status: { ...status, action: { name: 'web-rebuild-0bef0bef', operation: 'rebuild' } },
    })
    const ref = { namespace: 'default', name: 'web', uid: instance.metadata.uid ?? '' }
    await world.actions.begin(makeContext({ requestId: BEFORE }), ref, 'rebuild')

    const begun = await begin('delete', instance)

    expect((await kube.action('web-rebuild-0bef0bef')).status?.message).toBe('Overtaken by delete')
    expect(begun.status).not.toHaveProperty('action')
  })

  it('tells the hosts that the instance does not come to any more', async () => {
    const migration = {
      type: 'live-migration',
      status: 'running',
      sourceHost: 'node-1',
      destHost: 'node-2',
      oldVmState: 'active',
    } as const
    const instance = await put('evacuate', {
      vmState: 'active',
      taskState: 'migrating',
      host: 'node-1',
      flavor: SMALL,
      requestId: BEFORE,
      migration,
    })
    const begun = await begin('evacuate', instance)
    await until('it is told', () => world.freed.length > 0)
    expect(world.freed).toEqual(['node-2'])
    expect(begun.status.migration).toEqual({
      type: 'evacuation',
      status: 'accepted',
      sourceHost: 'node-1',
      oldVmState: 'active',
    })
  })
})

it('what an action gave along is not that of the action before', async () => {
  const action = { name: 'earlier', operation: 'rescue', image: 'other', imageName: 'some' }
  const instance = await put('rescue', { vmState: 'active', host: 'node-1', requestId: BEFORE, action })
  const begun = await begin('rescue', instance)
  expect(begun.status.action).toEqual({ name: 'mine', operation: 'rescue' })
})

it('a hard reboot has the spec follow, and the cache know it', async () => {
  const instance = await kube.putInstance({
    spec: { powerState: 'Shutdown' },
    status: { vmState: 'stopped', host: 'node-1', requestId: BEFORE },
  })
  await begin('rebootHard', instance)
  expect((await kube.instance()).spec.powerState).toBe('Running')
  expect(world.cache.informer.store.get('default/web')?.spec.powerState).toBe('Running')
})

it('a guest that shut itself down while it was paused may be said to be stopped', async () => {
  const instance = await kube.putInstance({
    status: { vmState: 'paused', powerState: 'SHUTDOWN', host: 'node-1', requestId: BEFORE },
  })
  expect((await begin('stop', instance)).status.taskState).toBe('powering-off')
})
