import type { InstanceAction, InstanceActionSpecAction } from './instance-action.ts'
import type {
  InstanceStatusMigration,
  InstanceStatusPowerState,
  InstanceStatusStatus,
  InstanceStatusTaskState,
  InstanceStatusVmState,
} from './instance.ts'

/** The stable state: what the instance is. nova.compute.vm_states. */
export type VmState = InstanceStatusVmState
/** The operation in flight; none is `undefined`. It keeps others out: one operation at a time. nova.compute.task_states. */
export type TaskState = InstanceStatusTaskState
/** What the hypervisor said last. nova.compute.power_state. */
export type PowerState = InstanceStatusPowerState
/** The word of Nova's API. */
export type ApiStatus = InstanceStatusStatus
/** An operation's name, as os-instance-actions has it. */
export type ActionName = InstanceActionSpecAction
export type ActionResult = NonNullable<NonNullable<InstanceAction['status']>['result']>
/** The way from one host or flavor to another. nova.objects.Migration. */
export type Migration = InstanceStatusMigration

export const VM_STATES = [
  'building',
  'active',
  'stopped',
  'paused',
  'suspended',
  'rescued',
  'resized',
  'shelved',
  'shelved_offloaded',
  'soft-delete',
  'error',
  'deleted',
] as const satisfies readonly VmState[]

export const TASK_STATES = [
  'scheduling',
  'spawning',
  'powering-off',
  'powering-on',
  'pausing',
  'unpausing',
  'suspending',
  'resuming',
  'rebooting',
  'rebooting_hard',
  'rescuing',
  'unrescuing',
  'rebuilding',
  'resize_prep',
  'resize_migrating',
  'resize_migrated',
  'resize_confirming',
  'resize_reverting',
  'migrating',
  'shelving',
  'shelving_offloading',
  'unshelving',
  'image_snapshot',
  'soft-deleting',
  'restoring',
  'deleting',
] as const satisfies readonly TaskState[]

export const ACTION_NAMES = [
  'create',
  'start',
  'stop',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'resize',
  'delete',
  'reboot',
  'rescue',
  'unrescue',
  'rebuild',
  'confirmResize',
  'revertResize',
  'migrate',
  'live-migration',
  'evacuate',
  'shelve',
  'shelveOffload',
  'unshelve',
  'createImage',
  'softDelete',
  'restore',
  'forceDelete',
  'lock',
  'unlock',
  'resetState',
  'getConsoleOutput',
] as const satisfies readonly ActionName[]

/** The word for each vm_state, and the task_states that refine it. nova/api/openstack/common.py `_STATE_MAP`. */
const API_STATUS: Readonly<
  Record<VmState, { readonly word: ApiStatus } & Readonly<Partial<Record<TaskState, ApiStatus>>>>
> = {
  building: { word: 'BUILD' },
  active: {
    word: 'ACTIVE',
    rebooting: 'REBOOT',
    rebooting_hard: 'HARD_REBOOT',
    rebuilding: 'REBUILD',
    migrating: 'MIGRATING',
    resize_prep: 'RESIZE',
    resize_migrating: 'RESIZE',
    resize_migrated: 'RESIZE',
  },
  stopped: {
    word: 'SHUTOFF',
    rebuilding: 'REBUILD',
    resize_prep: 'RESIZE',
    resize_migrating: 'RESIZE',
    resize_migrated: 'RESIZE',
  },
  paused: { word: 'PAUSED', migrating: 'MIGRATING' },
  suspended: { word: 'SUSPENDED' },
  rescued: { word: 'RESCUE' },
  resized: { word: 'VERIFY_RESIZE', resize_reverting: 'REVERT_RESIZE' },
  shelved: { word: 'SHELVED' },
  shelved_offloaded: { word: 'SHELVED_OFFLOADED' },
  'soft-delete': { word: 'SOFT_DELETED' },
  error: { word: 'ERROR', rebuilding: 'REBUILD' },
  deleted: { word: 'DELETED' },
}

/** The API's word for a state: the vm_state's, refined by some task_states. nova/api/openstack/common.py `status_from_state`. */
export function apiStatus(vmState: VmState, taskState: TaskState | undefined): ApiStatus {
  const words = API_STATUS[vmState]
  return (taskState && words[taskState]) ?? words.word
}
