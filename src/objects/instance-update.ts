import { z } from 'zod'
import type {
  Instance,
  InstanceStatus,
  InstanceStatusCondition,
  InstanceStatusFault,
} from '../apis/v1alpha1/instance.ts'
import { apiStatus, TASK_STATES, type TaskState, VM_STATES, type VmState } from '../apis/v1alpha1/states.ts'
import {
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { requestIdOf } from '../common/ids.ts'
import { flavorSize } from './build-request.ts'

export const vmState = z.enum(VM_STATES)
export const taskState = z.enum(TASK_STATES)
export const powerState = z.enum(['NOSTATE', 'RUNNING', 'PAUSED', 'SHUTDOWN', 'CRASHED', 'SUSPENDED'])

/** Who locked an instance. */
export const lockedBy = z.enum(['owner', 'admin'])

export const fault = z.object({
  code: z.int(),
  reason: z.string().optional(),
  message: z.string(),
  host: z.string().optional(),
  requestId: z.string(),
  created: z.string(),
})

export const guestAddress = z.object({
  address: z.string(),
  network: z.string().optional(),
  macAddress: z.string().optional(),
})

/** The way of an instance from one host or flavor to another. Nova's migration record. */
export const migration = z.object({
  type: z.enum(['resize', 'migration', 'live-migration', 'evacuation']),
  status: z.enum(['accepted', 'preparing', 'running', 'finished', 'confirming', 'reverting']),
  sourceHost: z.string().optional(),
  destHost: z.string().optional(),
  requestedHost: z.string().optional(),
  oldVmState: z.enum(['active', 'stopped', 'paused', 'error']),
  oldFlavor: flavorSize.optional(),
  newFlavor: flavorSize.optional(),
})

export type MigrationState = z.infer<typeof migration>

/** The InstanceAction that an operation was asked for by, and what it gave along. */
export const askedBy = z.object({
  name: z.string(),
  operation: z.string(),
  image: z.string().optional(),
  imageName: z.string().optional(),
})
export type AskedBy = z.infer<typeof askedBy>

/** A change to an instance's state. What is left out stays; `null` takes a field away. */
export const instanceUpdate = z.object({
  vmState: vmState.optional(),
  taskState: taskState.nullable().optional(),
  powerState: powerState.optional(),
  host: z.string().nullable().optional(),
  availabilityZone: z.string().nullable().optional(),
  attempt: z.int().optional(),
  triedHosts: z.array(z.string()).optional(),
  alternates: z.array(z.string()).nullable().optional(),
  flavor: flavorSize.optional(),
  shutdownTimeoutSeconds: z.int().nullable().optional(),
  addresses: z.array(guestAddress).optional(),
  fault: fault.nullable().optional(),
  lockedBy: lockedBy.nullable().optional(),
  lockedReason: z.string().nullable().optional(),
  image: z.string().optional(),
  action: askedBy.nullable().optional(),
  /** What it names changes, the rest of the migration stays; `null` ends it. */
  migration: migration.partial().nullable().optional(),
  launchedAt: z.string().optional(),
  shelvedAt: z.string().nullable().optional(),
  softDeletedAt: z.string().nullable().optional(),
  resizedAt: z.string().nullable().optional(),
  terminatedAt: z.string().optional(),
  requestId: z.string().optional(),
  observedGeneration: z.int().optional(),
  id: z.string().optional(),
})
export type InstanceUpdate = z.infer<typeof instanceUpdate>

/**
 * What the instance must be for the change to be made: the compare in compare-and-swap. Nova's
 * `Instance.save(expected_task_state=…)`, with the claim (host and attempt) beside it.
 */
export const expectedState = z.object({
  vmState: z.array(vmState).optional(),
  /** `null` stands for no task. */
  taskState: z.array(taskState.nullable()).optional(),
  /** `null` stands for no host. */
  host: z.string().nullable().optional(),
  attempt: z.int().optional(),
  requestId: z.string().optional(),
  /** `null` stands for not locked. */
  lockedBy: lockedBy.nullable().optional(),
  /** A host that the instance is on, comes from or goes to. */
  involves: z.string().optional(),
})
export type ExpectedState = z.infer<typeof expectedState>

/** What of an instance an expectation is about, whoever tells of it. */
export interface ObservedState {
  readonly uid: string
  readonly vmState?: VmState | undefined
  readonly taskState?: TaskState | undefined
  readonly host?: string | undefined
  readonly attempt?: number | undefined
  readonly requestId?: string | undefined
  readonly lockedBy?: InstanceStatus['lockedBy']
  readonly migration?: MigrationState | undefined
  readonly deleting: boolean
}

/** The hosts that have a say in an instance: the one it is on, and where it comes from and goes to. */
export function hostsOf({
  host,
  migration: moving,
}: Pick<ObservedState, 'host' | 'migration'>): readonly string[] {
  return [host, moving?.sourceHost, moving?.destHost].filter((one) => one !== undefined)
}

/** {@link checkObserved}, of a resource. */
export function checkExpected({ status, metadata }: Instance, expected: ExpectedState): void {
  const { vmState: vm, taskState: task, host, attempt, requestId, lockedBy: by, migration: moving } = status
  const uid = metadata.uid ?? metadata.name
  const deleting = metadata.deletionTimestamp !== undefined
  checkObserved(
    {
      uid,
      vmState: vm,
      taskState: task,
      host,
      attempt,
      requestId,
      lockedBy: by,
      migration: moving,
      deleting,
    },
    expected,
  )
}

/**
 * Checks what a change expects.
 * @throws UnexpectedDeletingTaskStateError when it is not so because the instance is being deleted
 * @throws UnexpectedTaskStateError when it is not so otherwise
 */
export function checkObserved(actual: ObservedState, expected: ExpectedState): void {
  const wrong = [
    mismatch('vm_state', expected.vmState, actual.vmState),
    mismatch('task_state', expected.taskState, actual.taskState ?? null),
    mismatch('host', oneOf(expected.host), actual.host ?? null),
    mismatch('attempt', oneOf(expected.attempt), actual.attempt ?? 0),
    mismatch('request', oneOf(expected.requestId), actual.requestId),
    mismatch('locked_by', oneOf(expected.lockedBy), actual.lockedBy ?? null),
    expected.involves === undefined || hostsOf(actual).includes(expected.involves)
      ? undefined
      : { expected: `host ${expected.involves}`, actual: `host ${actual.host ?? null}` },
  ].find((one) => one !== undefined)
  if (!wrong) return
  const details = { instance: actual.uid, ...wrong }
  if (actual.taskState === 'deleting' || actual.deleting) {
    throw new UnexpectedDeletingTaskStateError(details)
  }
  throw new UnexpectedTaskStateError(details)
}

function oneOf<T>(expected: T | undefined): readonly T[] | undefined {
  return expected === undefined ? undefined : [expected]
}

function mismatch<T>(
  attr: string,
  allowed: readonly T[] | undefined,
  actual: T | undefined,
): { expected: string; actual: string } | undefined {
  if (!allowed || allowed.some((one) => one === actual)) return undefined
  return {
    expected: `${attr} ${allowed.map(String).join(' or ')}`,
    actual: `${attr} ${String(actual ?? null)}`,
  }
}

/** The merge patch of `status` that carries out a change: the API's word and the conditions follow from the states. */
export function toStatusPatch(
  instance: Instance,
  update: InstanceUpdate,
  now: string,
): Record<string, unknown> {
  const { status, metadata } = instance
  const vm: VmState = update.vmState ?? status.vmState ?? 'building'
  const task = update.taskState === undefined ? status.taskState : (update.taskState ?? undefined)
  return {
    // A status that only its default filled is not stored yet: write what a first read has shown.
    vmState: vm,
    powerState: status.powerState ?? 'NOSTATE',
    ...(status.taskState !== undefined && { taskState: status.taskState }),
    id: metadata.uid,
    ...update,
    ...(update.migration?.type && { migration: { ...NO_MIGRATION, ...update.migration } }),
    ...(update.action && { action: { ...GAVE_NOTHING, ...update.action } }),
    ...failedGenerationOf(instance, update),
    status: apiStatus(vm, task),
    ...conditionsOf(instance, readyCondition(vm, task, faultMessage(instance, update)), now),
  }
}

/** A fault of the request that the present spec makes: that one is not begun again by itself, also when the fault is forgotten. */
function failedGenerationOf({ metadata }: Instance, { fault }: InstanceUpdate): Record<string, number> {
  const { uid = '', generation = 1 } = metadata
  return fault?.requestId === requestIdOf(uid, generation) ? { failedGeneration: generation } : {}
}

/** An action gives along what it says, and nothing of one before it. */
const GAVE_NOTHING = { image: null, imageName: null }

/** A new migration begins with nothing of one before it. */
const NO_MIGRATION = {
  sourceHost: null,
  destHost: null,
  requestedHost: null,
  oldFlavor: null,
  newFlavor: null,
}

function faultMessage({ status }: Instance, { fault: change }: InstanceUpdate): string | undefined {
  return change === undefined ? status.fault?.message : change?.message
}

/** The conditions, where they change. */
function conditionsOf(
  { status }: Instance,
  ready: Omit<InstanceStatusCondition, 'lastTransitionTime'>,
  now: string,
): Pick<Instance['status'], 'conditions'> {
  const held = status.conditions?.find((one) => one.type === 'Ready')
  const isSame =
    held?.status === ready.status && held.reason === ready.reason && held.message === ready.message
  if (isSame) return {}
  const lastTransitionTime = held?.status === ready.status ? held.lastTransitionTime : now
  return { conditions: [{ ...ready, lastTransitionTime }] }
}

/** Whether the instance runs and nothing is being done to it: for `kubectl wait --for=condition=Ready`. */
function readyCondition(
  vm: VmState,
  task: TaskState | undefined,
  fault: string | undefined,
): Omit<InstanceStatusCondition, 'lastTransitionTime'> {
  const ready = vm === 'active' && task === undefined
  const words: Readonly<Record<VmState, string>> = {
    building: 'Building',
    active: 'Active',
    stopped: 'Stopped',
    paused: 'Paused',
    suspended: 'Suspended',
    rescued: 'Rescued',
    resized: 'Resized',
    shelved: 'Shelved',
    shelved_offloaded: 'ShelvedOffloaded',
    'soft-delete': 'SoftDeleted',
    error: 'Error',
    deleted: 'Deleted',
  }
  return {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: ready || task === undefined || vm === 'building' ? words[vm] : 'TaskInProgress',
    message: vm === 'error' && fault ? fault : task ? `task ${task} in progress` : '',
  }
}

/** Longest message a fault holds. */
const MAX_FAULT_LENGTH = 4096

/** The record of why an operation failed. nova.objects.InstanceFault. */
export function toFault(
  error: unknown,
  about: { readonly requestId: string; readonly host?: string | undefined; readonly now: string },
): InstanceStatusFault {
  return {
    code: error instanceof NovaError ? error.code : 500,
    reason: error instanceof Error ? error.name : 'Error',
    message: messageOf(error).slice(0, MAX_FAULT_LENGTH),
    ...(about.host !== undefined && { host: about.host }),
    requestId: about.requestId,
    created: about.now,
  }
}
