import { describe, expect, it } from 'vitest'
import { OPERATION_NAMES, type OperationName, OPERATIONS, type Refusal, refusalOf } from './operations.ts'
import { TASK_STATES, type TaskState, VM_STATES, type VmState } from './states.ts'

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
