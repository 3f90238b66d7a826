import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInvalid } from '../../kube/api-error.ts'
import { EmbeddedKube } from '../../testing/embedded-kube.ts'
import { INSTANCE } from './instance.ts'
import {
  ACTION_OF_TASK,
  type ActionName,
  apiStatus,
  isAsked,
  OPERATIONS,
  type Refusal,
  refusalOf,
  type TaskState,
  type VmState,
} from './states.ts'

const VM_STATES: readonly VmState[] = [
  'building',
  'active',
  'stopped',
  'paused',
  'suspended',
  'error',
  'deleted',
]
const TASKS: readonly (TaskState | undefined)[] = [
  undefined,
  'scheduling',
  'spawning',
  'powering-off',
  'powering-on',
  'deleting',
]
const GRID = VM_STATES.flatMap((vmState) => TASKS.map((taskState) => ({ vmState, taskState })))

/** Nova's decorators, written down a second time: where each operation may start. */
const ALLOWED: Readonly<Record<ActionName, (vm: VmState, task: TaskState | undefined) => boolean>> = {
  create: (vm) => vm === 'building',
  start: (vm, task) => vm === 'stopped' && task === undefined,
  stop: (vm, task) => (vm === 'active' || vm === 'error') && task === undefined,
  delete: () => true,
  lock: () => true,
  unlock: () => true,
}

describe.each(['create', 'start', 'stop', 'delete', 'lock', 'unlock'] as const)('%s', (action) => {
  it.each(GRID)(
    'from vm_state $vmState, task_state $taskState, is allowed as in Nova',
    ({ vmState, taskState }) => {
      const refusal = refusalOf(OPERATIONS[action], vmState, taskState)
      expect(refusal === undefined).toBe(ALLOWED[action](vmState, taskState))
    },
  )

  it('is asked for by an action of its own, or has a task_state that leads back to it', () => {
    const { taskState, ...operation } = OPERATIONS[action]
    expect(operation.action).toBe(action)
    expect(isAsked(action)).toBe(taskState === undefined)
    if (taskState) expect(ACTION_OF_TASK[taskState]).toBe(action)
  })
})

describe('a refusal', () => {
  it.each<{ vmState: VmState; taskState: TaskState | undefined; want: Refusal }>([
    { vmState: 'paused', taskState: undefined, want: { attr: 'vm_state', state: 'paused' } },
    { vmState: 'paused', taskState: 'deleting', want: { attr: 'vm_state', state: 'paused' } },
    { vmState: 'active', taskState: 'powering-off', want: { attr: 'task_state', state: 'powering-off' } },
  ])('of stop in $vmState/$taskState names $want.attr, vm_state first', ({ vmState, taskState, want }) => {
    expect(refusalOf(OPERATIONS.stop, vmState, taskState)).toEqual(want)
  })
})

it.each([
  ['building', 'BUILD'],
  ['active', 'ACTIVE'],
  ['stopped', 'SHUTOFF'],
  ['paused', 'PAUSED'],
  ['suspended', 'SUSPENDED'],
  ['error', 'ERROR'],
  ['deleted', 'DELETED'],
] as const)('Nova’s API calls %s %s', (vmState, word) => {
  expect(apiStatus(vmState)).toBe(word)
})

describe('the API server', () => {
  let kube: EmbeddedKube
  let count = 0

  beforeAll(async () => {
    kube = await EmbeddedKube.start()
  })
  afterAll(() => kube?.close())

  /** What `kubectl patch` of the power state says in this state; undefined when it is taken. */
  async function refusalAtThePrompt(
    state: { readonly vmState: VmState; readonly taskState: TaskState | undefined; readonly host?: string },
    to: 'Running' | 'Shutdown',
  ): Promise<string | undefined> {
    const { vmState, taskState, host } = state
    const name = `web-${++count}`
    const from = to === 'Shutdown' ? 'Running' : 'Shutdown'
    await kube.putInstance({
      name,
      spec: { powerState: from },
      status: { id: 'the-id', vmState, ...(taskState && { taskState }), ...(host && { host }) },
    })
    try {
      const patch = { spec: { powerState: to } }
      const patched = await kube.client.mergePatch(INSTANCE, { namespace: 'default', name }, patch)
      expect(patched.spec.powerState).toBe(to)
      return undefined
    } catch (error) {
      if (!isInvalid(error)) throw error
      expect(error.details?.causes?.map(({ field }) => field)).toEqual(['spec.powerState'])
      return error.details?.causes?.[0]?.message
    }
  }

  /**
   * As OPERATIONS say; beside that the state an instance is in already may be asked for, so that a change can
   * be taken back.
   */
  function wantedRefusal(
    vm: VmState,
    task: TaskState | undefined,
    to: 'Running' | 'Shutdown',
  ): string | undefined {
    const action = to === 'Shutdown' ? 'stop' : 'start'
    const isThere = vm === (to === 'Shutdown' ? 'stopped' : 'active')
    const refusal = isThere
      ? refusalOf(OPERATIONS.stop, 'active', task)
      : refusalOf(OPERATIONS[action], vm, task)
    return refusal && `Cannot '${action}' instance the-id while it is in ${refusal.attr} ${refusal.state}`
  }

  describe.each(['Running', 'Shutdown'] as const)('asked for powerState %s', (to) => {
    it.each(GRID)(
      'in $vmState/$taskState answers as the table of operations',
      async ({ vmState, taskState }) => {
        const said = await refusalAtThePrompt({ vmState, taskState, host: 'node-1' }, to)
        const wanted = wantedRefusal(vmState, taskState, to)
        if (wanted === undefined) expect(said).toBeUndefined()
        else expect(said).toContain(wanted)
      },
    )
  })

  it('refuses to stop an instance in error that has no host: there is nothing to stop', async () => {
    expect(await refusalAtThePrompt({ vmState: 'error', taskState: undefined }, 'Shutdown')).toContain(
      'Instance the-id is not ready: it has no host, so there is nothing to stop',
    )
  })

  it('names an instance without an id by its name', async () => {
    await kube.putInstance({ name: 'nameless', status: { vmState: 'paused' } })
    const ref = { namespace: 'default', name: 'nameless' }
    await expect(kube.client.mergePatch(INSTANCE, ref, { spec: { powerState: 'Shutdown' } })).rejects.toThrow(
      "Cannot 'stop' instance nameless while it is in vm_state paused",
    )
  })

  it.each([
    {
      field: 'flavor',
      taskState: undefined,
      says: "Cannot 'resize' instance the-id: its flavor cannot be changed",
    },
    {
      field: 'image',
      taskState: undefined,
      says: "Cannot 'rebuild' instance the-id: its image cannot be changed",
    },
    {
      field: 'flavor',
      taskState: 'spawning',
      says: "Cannot 'resize' instance the-id while it is in task_state spawning",
    },
    {
      field: 'image',
      taskState: 'deleting',
      says: "Cannot 'rebuild' instance the-id while it is in task_state deleting",
    },
  ] as const)('refuses another $field in task_state $taskState', async ({ field, taskState, says }) => {
    const name = `fixed-${++count}`
    await kube.putInstance({
      name,
      status: { id: 'the-id', vmState: 'active', ...(taskState && { taskState }) },
    })
    await expect(
      kube.client.mergePatch(INSTANCE, { namespace: 'default', name }, { spec: { [field]: 'other' } }),
    ).rejects.toThrow(says)
  })
})
