import type { Instance, InstanceStatusCondition } from '../apis/v1alpha1/instance.ts'
import { apiStatus, type TaskState, type VmState } from '../apis/v1alpha1/states.ts'
import { requestIdOf } from '../common/ids.ts'
import type { InstanceUpdate } from './instance-update.ts'
import { putInPlaceOf } from './put-in-place-of.ts'

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
    ...(update.flavor && { flavor: putInPlaceOf(status.flavor, update.flavor) }),
    ...(update.imageMeta && { imageMeta: putInPlaceOf(status.imageMeta, update.imageMeta) }),
    ...(update.migration?.type && { migration: newMigration(status.migration, update.migration) }),
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
function newMigration(
  held: Instance['status']['migration'],
  { oldFlavor, newFlavor, ...begun }: NonNullable<InstanceUpdate['migration']>,
): Record<string, unknown> {
  return {
    sourceHost: null,
    destHost: null,
    requestedHost: null,
    ...begun,
    oldFlavor: oldFlavor ? putInPlaceOf(held?.oldFlavor, oldFlavor) : null,
    newFlavor: newFlavor ? putInPlaceOf(held?.newFlavor, newFlavor) : null,
  }
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
