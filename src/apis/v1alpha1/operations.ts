import type { ActionName, TaskState, VmState } from './states.ts'

/** How an operation is asked for, where it is allowed, how it goes, and how it ends. */
export interface Operation {
  /** As its record names it. */
  readonly action: ActionName
  /** What a user changes to ask for it: the Instance itself, or an InstanceAction of its own. */
  readonly askedBy: 'Instance' | 'InstanceAction'
  /** vm_states it may start from. */
  readonly vmStates: readonly VmState[] | 'any'
  /** task_states it may start from; `null` stands for none: nothing else is in flight. */
  readonly taskStates: readonly (TaskState | null)[] | 'any'
  /** Whether a lock refuses it. */
  readonly lock: 'refuses' | 'allows'
  /** What it needs of the instance's host. */
  readonly host: 'any' | 'bound' | 'up' | 'down'
  /** The task_states on the way, in their order; none for what nova-api does at once, by itself. */
  readonly path: readonly TaskState[]
  /** The vm_states it may end in when all goes well; `unchanged` is the one it began in. */
  readonly success: readonly (VmState | 'unchanged')[]
  /** What is not as in Nova, and why, in Markdown; empty where nothing is. */
  readonly unlikeNova: string
}

/** One for each thing that can be done; a soft and a hard reboot are two, under one action. */
export type OperationName = Exclude<ActionName, 'reboot'> | 'rebootSoft' | 'rebootHard'

const IDLE = [null] as const

/**
 * The one table of what may be done to an instance, and when: from the decorators of nova/compute/api.py and the methods of
 * nova/compute/manager.py. The rules in crds/ say the same to the user's face, docs/state-machine.md is made of it, and the
 * tests go through all of it.
 */
export const OPERATIONS: Readonly<Record<OperationName, Operation>> = {
  create: {
    action: 'create',
    askedBy: 'Instance',
    vmStates: ['building'],
    taskStates: 'any',
    lock: 'allows',
    host: 'any',
    path: ['scheduling', 'spawning'],
    success: ['active'],
    unlikeNova:
      '`networking` and `block_device_mapping` are not passed through: KubeVirt does both as part of the spawn, and each would cost a write.',
  },
  delete: {
    action: 'delete',
    askedBy: 'Instance',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'refuses',
    host: 'any',
    path: ['deleting'],
    success: ['deleted'],
    unlikeNova:
      'A delete that fails stays under way and is tried again, so that nothing is left behind; Nova leaves it in error until somebody deletes it once more.',
  },
  start: {
    action: 'start',
    askedBy: 'Instance',
    vmStates: ['stopped'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['powering-on'],
    success: ['active'],
    unlikeNova:
      'A guest that was removed behind our back is not defined anew: its disks may have gone with it.',
  },
  stop: {
    action: 'stop',
    askedBy: 'Instance',
    vmStates: ['active', 'error'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['powering-off'],
    success: ['stopped'],
    unlikeNova: '',
  },
  pause: {
    action: 'pause',
    askedBy: 'Instance',
    vmStates: ['active'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['pausing'],
    success: ['paused'],
    unlikeNova: '',
  },
  unpause: {
    action: 'unpause',
    askedBy: 'Instance',
    vmStates: ['paused'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['unpausing'],
    success: ['active'],
    unlikeNova: '',
  },
  suspend: {
    action: 'suspend',
    askedBy: 'Instance',
    vmStates: ['active'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['suspending'],
    success: ['suspended'],
    unlikeNova:
      'KubeVirt cannot save a guest’s memory and bring it back: there it is refused with `NotSupported`, and the instance stays active ([why](adr/0008-suspend.md)).',
  },
  resume: {
    action: 'resume',
    askedBy: 'Instance',
    vmStates: ['suspended'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['resuming'],
    success: ['active'],
    unlikeNova: 'As `suspend`: an instance that cannot be suspended need not be resumed.',
  },
  rebootSoft: {
    action: 'reboot',
    askedBy: 'InstanceAction',
    vmStates: ['active'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['rebooting'],
    success: ['active'],
    unlikeNova:
      '`reboot_pending` and `reboot_started` are not passed through. A guest that does not react leaves a fault and stays active; libvirt’s driver resets it after a time. One that does not run any more is found by the comparison of power states, and becomes `stopped`; Nova’s is in `error`.',
  },
  rebootHard: {
    action: 'reboot',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
    taskStates: [null, 'rebooting', 'rebooting_hard', 'resuming', 'pausing', 'unpausing', 'suspending'],
    lock: 'refuses',
    host: 'bound',
    path: ['rebooting_hard'],
    success: ['active'],
    unlikeNova:
      '`reboot_pending_hard` and `reboot_started_hard` are not passed through. `spec.powerState` becomes `Running`, because that is what was asked for. A guest that is gone is not made anew: rebuild it. A failure ends in `error`, from which it can be tried again; Nova looks whether the guest runs after all, and leaves it active then.',
  },
  rescue: {
    action: 'rescue',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'error'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['rescuing'],
    success: ['rescued'],
    unlikeNova: 'There is no rescue password: the guest’s own user data counts.',
  },
  unrescue: {
    action: 'unrescue',
    askedBy: 'InstanceAction',
    vmStates: ['rescued'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['unrescuing'],
    success: ['active'],
    unlikeNova:
      'An instance whose `spec.powerState` is `Shutdown` is stopped afterwards, by an action of its own.',
  },
  rebuild: {
    action: 'rebuild',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'error'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['rebuilding'],
    success: ['active', 'stopped'],
    unlikeNova:
      '`rebuild_block_device_mapping` and `rebuild_spawning` are not passed through. Name, metadata and user data stay: what can be changed of them is changed on the Instance. `spec.image` follows.',
  },
  resize: {
    action: 'resize',
    askedBy: 'Instance',
    vmStates: ['active', 'stopped'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'up',
    path: ['resize_prep', 'resize_migrating', 'resize_migrated'],
    success: ['resized'],
    unlikeNova:
      '`resize_finish` is not passed through. It always goes to another host (Nova: `allow_resize_to_same_host`, off by default too), and never to a smaller disk, which Nova leaves to the hypervisor.',
  },
  confirmResize: {
    action: 'confirmResize',
    askedBy: 'InstanceAction',
    vmStates: ['resized'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['resize_confirming'],
    success: ['active', 'stopped'],
    unlikeNova:
      'It has a task_state, so that it is watched as every operation is. The API’s word stays `VERIFY_RESIZE`.',
  },
  revertResize: {
    action: 'revertResize',
    askedBy: 'InstanceAction',
    vmStates: ['resized'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['resize_reverting'],
    success: ['active', 'stopped'],
    unlikeNova: '`spec.flavor` goes back as well.',
  },
  migrate: {
    action: 'migrate',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'up',
    path: ['resize_prep', 'resize_migrating', 'resize_migrated'],
    success: ['resized'],
    unlikeNova: 'As `resize`.',
  },
  'live-migration': {
    action: 'live-migration',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'paused'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'up',
    path: ['migrating'],
    success: ['unchanged'],
    unlikeNova:
      'Whether disks can be copied along is KubeVirt’s to say: there is no `block_migration` to choose. It cannot be aborted or forced to complete by an action. KubeVirt leaves the guest where it was, and running, when a migration fails: so the vm_state stays, where Nova may end in `error`.',
  },
  evacuate: {
    action: 'evacuate',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'error'],
    taskStates: 'any',
    lock: 'allows',
    host: 'down',
    path: ['rebuilding'],
    success: ['stopped'],
    unlikeNova:
      'The disks come along, which must be on storage that other hosts reach. An instance whose `spec.powerState` is `Running` is started afterwards, by an action of its own; Nova’s stays stopped since microversion 2.95. A host that is up again before its guest was taken keeps it: the evacuation ends with `ComputeServiceInUse`, and the instance is as it was; where an earlier evacuation took the guest and failed, a hard reboot gives it back. Once the guest was taken it goes on, whatever becomes of the host, as in Nova.',
  },
  shelve: {
    action: 'shelve',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'paused', 'suspended'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['shelving'],
    success: ['shelved'],
    unlikeNova:
      'No image is uploaded: the disks stay where they are, with the VirtualMachine that is off. A container disk keeps nothing, as at every stop. The offload that follows (at once, unless `--shelved-offload-time` says otherwise) is an action of its own.',
  },
  shelveOffload: {
    action: 'shelveOffload',
    askedBy: 'InstanceAction',
    vmStates: ['shelved'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['shelving_offloading'],
    success: ['shelved_offloaded'],
    unlikeNova: '',
  },
  unshelve: {
    action: 'unshelve',
    askedBy: 'InstanceAction',
    vmStates: ['shelved', 'shelved_offloaded'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'any',
    path: ['unshelving'],
    success: ['active'],
    unlikeNova:
      '`spawning` and `powering-on` are not passed through. An instance whose `spec.powerState` is `Shutdown` is stopped afterwards.',
  },
  createImage: {
    action: 'createImage',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'paused', 'suspended'],
    taskStates: IDLE,
    lock: 'allows',
    host: 'bound',
    path: ['image_snapshot'],
    success: ['unchanged'],
    unlikeNova:
      '`image_snapshot_pending`, `image_pending_upload` and `image_uploading` are not passed through: the Image names the volume snapshot, which goes when it does, and nothing is uploaded. A container disk has nothing to take an image of: `NotSupported`. There is no `createBackup`.',
  },
  softDelete: {
    action: 'softDelete',
    askedBy: 'InstanceAction',
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'rescued', 'shelved', 'error'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['soft-deleting'],
    success: ['soft-delete'],
    unlikeNova:
      'An action of its own: what `kubectl delete` has begun cannot be taken back in Kubernetes. Nova’s delete is a soft one where `reclaim_instance_interval` is set, from every state and over every task; here only from those it can be restored from, with nothing in flight.',
  },
  restore: {
    action: 'restore',
    askedBy: 'InstanceAction',
    vmStates: ['soft-delete'],
    taskStates: IDLE,
    lock: 'refuses',
    host: 'bound',
    path: ['restoring'],
    success: ['active'],
    unlikeNova: 'An instance whose `spec.powerState` is `Shutdown` is stopped afterwards.',
  },
  forceDelete: {
    action: 'forceDelete',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'refuses',
    host: 'any',
    path: [],
    success: ['unchanged'],
    unlikeNova:
      'It deletes the Instance, which is an operation of its own with a record of its own: `kubectl delete` does the same.',
  },
  lock: {
    action: 'lock',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    host: 'any',
    path: [],
    success: ['unchanged'],
    unlikeNova: 'Beside Nova in [actions.md](actions.md#lock-and-unlock).',
  },
  unlock: {
    action: 'unlock',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    host: 'any',
    path: [],
    success: ['unchanged'],
    unlikeNova: 'Beside Nova in [actions.md](actions.md#lock-and-unlock).',
  },
  resetState: {
    action: 'resetState',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    host: 'any',
    path: [],
    success: ['active', 'error'],
    unlikeNova:
      'It also ends the record of what was in flight. An instance reset to `active` whose `spec.powerState` says otherwise is brought there, by an action of its own.',
  },
  getConsoleOutput: {
    action: 'getConsoleOutput',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    host: 'bound',
    path: [],
    success: ['unchanged'],
    unlikeNova: 'It is recorded, because its answer is in the record.',
  },
}

/** Every operation's name. */
export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly OperationName[]

/** What stands in the way of an operation: the attribute and its value, in the order Nova checks them. */
export interface Refusal {
  readonly attr: 'vm_state' | 'task_state'
  readonly state: string
}

/** Why `operation` is not allowed now, or `undefined` when it is. */
export function refusalOf(
  operation: Operation,
  vmState: VmState,
  taskState: TaskState | undefined,
): Refusal | undefined {
  if (operation.vmStates !== 'any' && !operation.vmStates.includes(vmState)) {
    return { attr: 'vm_state', state: vmState }
  }
  if (operation.taskStates !== 'any' && !operation.taskStates.includes(taskState ?? null)) {
    return { attr: 'task_state', state: taskState ?? 'none' }
  }
  return undefined
}
