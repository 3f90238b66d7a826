import { describe, expect, it } from 'vitest'
import {
  actionInFlight,
  isAsked,
  isImmediate,
  operationOf,
  OPERATION_NAMES,
  type OperationName,
  OPERATIONS,
  type Refusal,
  refusalOf,
} from './operations.ts'
import {
  ACTION_NAMES,
  type ActionName,
  TASK_STATES,
  type TaskState,
  VM_STATES,
  type VmState,
} from './states.ts'

type Task = TaskState | undefined

const TASKS: readonly Task[] = [undefined, ...TASK_STATES]
const GRID = VM_STATES.flatMap((vmState) => TASKS.map((taskState) => ({ vmState, taskState })))

const ANY = (): boolean => true
const idleIn =
  (...vmStates: readonly VmState[]) =>
  (vm: VmState, task: Task): boolean =>
    task === undefined && vmStates.includes(vm)

/** nova.compute.vm_states.ALLOW_HARD_REBOOT, and nova.compute.task_states.ALLOW_REBOOT as far as we have those tasks. */
const HARD_REBOOT_VM: readonly VmState[] = ['active', 'stopped', 'paused', 'suspended', 'error']
const HARD_REBOOT_TASK: readonly Task[] = [
  undefined,
  'rebooting',
  'rebooting_hard',
  'resuming',
  'pausing',
  'unpausing',
  'suspending',
]

/** The decorators of nova/compute/api.py, written down a second time: where each operation may start, and what a lock does. */
const NOVA: Readonly<
  Record<
    OperationName,
    { readonly may: (vm: VmState, task: Task) => boolean; readonly lock: 'refuses' | 'allows' }
  >
> = {
  create: { may: (vm) => vm === 'building', lock: 'allows' },
  delete: { may: ANY, lock: 'refuses' },
  start: { may: idleIn('stopped'), lock: 'refuses' },
  stop: { may: idleIn('active', 'error'), lock: 'refuses' },
  pause: { may: idleIn('active'), lock: 'refuses' },
  unpause: { may: idleIn('paused'), lock: 'refuses' },
  suspend: { may: idleIn('active'), lock: 'refuses' },
  resume: { may: idleIn('suspended'), lock: 'refuses' },
  rebootSoft: { may: idleIn('active'), lock: 'refuses' },
  rebootHard: {
    may: (vm, task) => HARD_REBOOT_VM.includes(vm) && HARD_REBOOT_TASK.includes(task),
    lock: 'refuses',
  },
  rescue: { may: idleIn('active', 'stopped', 'error'), lock: 'refuses' },
  unrescue: { may: idleIn('rescued'), lock: 'refuses' },
  rebuild: { may: idleIn('active', 'stopped', 'error'), lock: 'refuses' },
  resize: { may: idleIn('active', 'stopped'), lock: 'refuses' },
  confirmResize: { may: idleIn('resized'), lock: 'refuses' },
  revertResize: { may: idleIn('resized'), lock: 'refuses' },
  migrate: { may: idleIn('active', 'stopped'), lock: 'refuses' },
  'live-migration': { may: idleIn('active', 'paused'), lock: 'refuses' },
  evacuate: { may: (vm) => ['active', 'stopped', 'error'].includes(vm), lock: 'allows' },
  shelve: { may: idleIn('active', 'stopped', 'paused', 'suspended'), lock: 'refuses' },
  shelveOffload: { may: idleIn('shelved'), lock: 'refuses' },
  unshelve: { may: idleIn('shelved', 'shelved_offloaded'), lock: 'refuses' },
  createImage: { may: idleIn('active', 'stopped', 'paused', 'suspended'), lock: 'allows' },
  // Ours is narrower than Nova's any and any: what cannot be restored is not softly deleted. The table says so.
  softDelete: {
    may: idleIn('active', 'stopped', 'paused', 'suspended', 'rescued', 'shelved', 'error'),
    lock: 'refuses',
  },
  restore: { may: idleIn('soft-delete'), lock: 'refuses' },
  forceDelete: { may: ANY, lock: 'refuses' },
  lock: { may: ANY, lock: 'allows' },
  unlock: { may: ANY, lock: 'allows' },
  resetState: { may: ANY, lock: 'allows' },
  getConsoleOutput: { may: ANY, lock: 'allows' },
}

describe.each(OPERATION_NAMES)('%s', (name) => {
  it.each(GRID)('from $vmState/$taskState is allowed as in Nova', ({ vmState, taskState }) => {
    const refusal = refusalOf(OPERATIONS[name], vmState, taskState)
    expect(refusal === undefined).toBe(NOVA[name].may(vmState, taskState))
  })

  it('is refused by a lock as in Nova', () => {
    expect(OPERATIONS[name].lock).toBe(NOVA[name].lock)
  })
})

describe('a refusal', () => {
  it.each<{ operation: OperationName; vmState: VmState; taskState: Task; want: Refusal }>([
    {
      operation: 'stop',
      vmState: 'paused',
      taskState: undefined,
      want: { attr: 'vm_state', state: 'paused' },
    },
    {
      operation: 'stop',
      vmState: 'paused',
      taskState: 'deleting',
      want: { attr: 'vm_state', state: 'paused' },
    },
    {
      operation: 'stop',
      vmState: 'active',
      taskState: 'powering-off',
      want: { attr: 'task_state', state: 'powering-off' },
    },
    {
      operation: 'confirmResize',
      vmState: 'resized',
      taskState: 'resize_reverting',
      want: { attr: 'task_state', state: 'resize_reverting' },
    },
  ])('of $operation in $vmState/$taskState names $want.attr, vm_state first', (given) => {
    expect(refusalOf(OPERATIONS[given.operation], given.vmState, given.taskState)).toEqual(given.want)
  })
})

describe('an action', () => {
  it.each(ACTION_NAMES)('%s is the operation that bears it', (action) => {
    expect(OPERATIONS[operationOf({ action })].action).toBe(action)
  })

  it.each([
    { type: 'Soft', name: 'rebootSoft' },
    { type: 'Hard', name: 'rebootHard' },
    { type: undefined, name: 'rebootSoft' },
  ] as const)('reboot of type $type is $name', ({ type, name }) => {
    expect(operationOf({ action: 'reboot', ...(type && { type }) })).toBe(name)
  })

  /** What a user says on the Instance itself: its being there, its power state, its flavor. */
  const ON_THE_INSTANCE: readonly ActionName[] = [
    'create',
    'delete',
    'start',
    'stop',
    'pause',
    'unpause',
    'suspend',
    'resume',
    'resize',
  ]
  it.each(ACTION_NAMES)('%s is asked for where it should be', (action) => {
    expect(isAsked(action)).toBe(!ON_THE_INSTANCE.includes(action))
  })

  it.each(ACTION_NAMES)('%s takes its time or is done at once', (action) => {
    const atOnce = ['lock', 'unlock', 'resetState', 'forceDelete', 'getConsoleOutput']
    expect(isImmediate(action)).toBe(atOnce.includes(action))
  })
})

describe('the operation in flight', () => {
  /** By task_state, where only one action has it. */
  const ALONE = {
    scheduling: 'create',
    spawning: 'create',
    'powering-off': 'stop',
    'powering-on': 'start',
    pausing: 'pause',
    unpausing: 'unpause',
    suspending: 'suspend',
    resuming: 'resume',
    rebooting: 'reboot',
    rebooting_hard: 'reboot',
    rescuing: 'rescue',
    unrescuing: 'unrescue',
    resize_confirming: 'confirmResize',
    resize_reverting: 'revertResize',
    migrating: 'live-migration',
    shelving: 'shelve',
    shelving_offloading: 'shelveOffload',
    unshelving: 'unshelve',
    image_snapshot: 'createImage',
    'soft-deleting': 'softDelete',
    restoring: 'restore',
    deleting: 'delete',
  } as const satisfies Partial<Record<TaskState, ActionName>>
  const [resize, migration, evacuation] = (['resize', 'migration', 'evacuation'] as const).map((type) => ({
    type,
  }))

  it.each(Object.entries(ALONE))('in task_state %s is %s, whatever moves', (task, action) => {
    const taskState = task as TaskState
    expect(actionInFlight({ taskState })).toBe(action)
    // A migration that waits for its confirmation does not change what is being done.
    expect(actionInFlight({ taskState, migration: { type: 'migration' } })).toBe(action)
  })

  it.each([
    { taskState: 'rebuilding', migration: undefined, want: 'rebuild' },
    { taskState: 'rebuilding', migration: evacuation, want: 'evacuate' },
    { taskState: 'resize_prep', migration: resize, want: 'resize' },
    { taskState: 'resize_prep', migration: migration, want: 'migrate' },
    { taskState: 'resize_migrating', migration: resize, want: 'resize' },
    { taskState: 'resize_migrating', migration: migration, want: 'migrate' },
    { taskState: 'resize_migrated', migration: resize, want: 'resize' },
    { taskState: 'resize_migrated', migration: migration, want: 'migrate' },
  ] as const)('in task_state $taskState, moving by $migration.type, is $want', ({ want, ...status }) => {
    expect(actionInFlight(status)).toBe(want)
  })
})
