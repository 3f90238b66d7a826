import type { InstanceAction, InstanceActionSpecAction } from './instance-action.ts'
import type {
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
/** The operations that are asked for by creating an InstanceAction. */
export type AskedAction = Extract<ActionName, 'lock' | 'unlock'>
/** The operations that take their time: under a task_state, by the scheduler or an agent. */
export type TaskAction = Exclude<ActionName, 'lock' | 'unlock'>
export type ActionResult = NonNullable<NonNullable<InstanceAction['status']>['result']>

/** How an operation is asked for, when it is allowed, and the task_state it is under. */
export interface Operation {
  readonly action: ActionName
  /** What a user changes to ask for it: the Instance itself, or an InstanceAction of its own. */
  readonly askedBy: 'Instance' | 'InstanceAction'
  /** vm_states it may start from. */
  readonly vmStates: readonly VmState[] | 'any'
  /** Whether another operation in flight refuses it. Delete goes first. */
  readonly needsIdle: boolean
  /** None for what nova-api does at once, by itself. */
  readonly taskState: TaskState | undefined
}

/**
 * The operations and where they are allowed, from the `check_instance_state` decorators of
 * nova/compute/api.py. The rules at the root of crds/compute.kilonova.dev_instances.yaml say the same to
 * the user's face.
 */
export const OPERATIONS: Readonly<
  Record<ActionName, Operation> & Record<TaskAction, { readonly taskState: TaskState }>
> = {
  create: {
    action: 'create',
    askedBy: 'Instance',
    vmStates: ['building'],
    needsIdle: false,
    taskState: 'scheduling',
  },
  start: {
    action: 'start',
    askedBy: 'Instance',
    vmStates: ['stopped'],
    needsIdle: true,
    taskState: 'powering-on',
  },
  stop: {
    action: 'stop',
    askedBy: 'Instance',
    vmStates: ['active', 'error'],
    needsIdle: true,
    taskState: 'powering-off',
  },
  delete: { action: 'delete', askedBy: 'Instance', vmStates: 'any', needsIdle: false, taskState: 'deleting' },
  lock: {
    action: 'lock',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    needsIdle: false,
    taskState: undefined,
  },
  unlock: {
    action: 'unlock',
    askedBy: 'InstanceAction',
    vmStates: 'any',
    needsIdle: false,
    taskState: undefined,
  },
}

/** The action that a task_state belongs to. */
export const ACTION_OF_TASK: Readonly<Record<TaskState, TaskAction>> = {
  scheduling: 'create',
  spawning: 'create',
  'powering-off': 'stop',
  'powering-on': 'start',
  deleting: 'delete',
}

/** Whether an operation is asked for by an InstanceAction of the user's. */
export function isAsked(action: ActionName): action is AskedAction {
  return OPERATIONS[action].askedBy === 'InstanceAction'
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
