import type { InstanceAction, InstanceActionSpecAction } from './instance-action.ts'
import type {
  InstanceStatusPowerState,
  InstanceStatusStatus,
  InstanceStatusTaskState,
  InstanceStatusVmState,
} from './instance.ts'

/** The stable state: what the instance is. nova.compute.vm_states. */
export type VmState = InstanceStatusVmState
/** The operation in flight; none is `undefined`. It is also the lock: one operation at a time. nova.compute.task_states. */
export type TaskState = InstanceStatusTaskState
/** What the hypervisor said last. nova.compute.power_state. */
export type PowerState = InstanceStatusPowerState
/** The word of Nova's API. */
export type ApiStatus = InstanceStatusStatus
/** An operation's name, as os-instance-actions has it. */
export type ActionName = InstanceActionSpecAction
export type ActionResult = NonNullable<NonNullable<InstanceAction['status']>['result']>

/** When an operation is allowed, and the task_state it is under. */
export interface Operation {
  readonly action: ActionName
  /** vm_states it may start from; `any` for delete. */
  readonly vmStates: readonly VmState[] | 'any'
  /** Whether another operation in flight refuses it. Delete goes first. */
  readonly needsIdle: boolean
  readonly taskState: TaskState
}

/**
 * The operations and where they are allowed, from the `check_instance_state` decorators of
 * nova/compute/api.py. The rules at the root of crds/compute.kilonova.dev_instances.yaml say the same to
 * the user's face.
 */
export const OPERATIONS: Readonly<Record<ActionName, Operation>> = {
  create: { action: 'create', vmStates: ['building'], needsIdle: false, taskState: 'scheduling' },
  start: { action: 'start', vmStates: ['stopped'], needsIdle: true, taskState: 'powering-on' },
  stop: { action: 'stop', vmStates: ['active', 'error'], needsIdle: true, taskState: 'powering-off' },
  delete: { action: 'delete', vmStates: 'any', needsIdle: false, taskState: 'deleting' },
}

/** The action that a task_state belongs to. */
export const ACTION_OF_TASK: Readonly<Record<TaskState, ActionName>> = {
  scheduling: 'create',
  spawning: 'create',
  'powering-off': 'stop',
  'powering-on': 'start',
  deleting: 'delete',
}

const API_STATUS: Readonly<Record<VmState, ApiStatus>> = {
  building: 'BUILD',
  active: 'ACTIVE',
  stopped: 'SHUTOFF',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  error: 'ERROR',
  deleted: 'DELETED',
}

/** The API's word for a state. None of today's task_states refines it. nova/api/openstack/common.py `_STATE_MAP`. */
export function apiStatus(vmState: VmState): ApiStatus {
  return API_STATUS[vmState]
}

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
  if (operation.needsIdle && taskState !== undefined) return { attr: 'task_state', state: taskState }
  return undefined
}
