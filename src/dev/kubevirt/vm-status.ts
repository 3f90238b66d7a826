import { isFinal } from '../../virt/kubevirt/power-state.ts'
import {
  type Condition,
  conditionOf,
  type StateChangeRequest,
  trueCondition,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineStatus,
} from '../../virt/kubevirt/resources.ts'
import { isMigrating } from './migration-step.ts'

/** Conditions of a VM that are its own; all others are copies of the VMI's, kept when the VMI is gone. */
const OWN_CONDITIONS = new Set(['Ready', 'Failure'])

/** A VM's status as KubeVirt would write it. */
export function statusOf(
  vm: VirtualMachine,
  vmi: VirtualMachineInstance | undefined,
  requests: readonly StateChangeRequest[],
): VirtualMachineStatus {
  return {
    created: vmi !== undefined,
    ready: trueCondition(vmi, 'Ready') !== undefined,
    printableStatus: printableStatusOf(vm, vmi, requests),
    conditions: conditionsOf(vm, vmi),
    stateChangeRequests: requests,
  }
}

function conditionsOf(vm: VirtualMachine, vmi: VirtualMachineInstance | undefined): readonly Condition[] {
  const old = vm.status?.conditions ?? []
  const fromVmi = vmi ? (vmi.status?.conditions ?? []) : old
  const copied = fromVmi.filter(({ type }) => !OWN_CONDITIONS.has(type))
  return [readyOf(vm, vmi), ...copied]
}

function readyOf(vm: VirtualMachine, vmi: VirtualMachineInstance | undefined): Condition {
  const ready = vmi?.status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready) return ready
  const none = {
    type: 'Ready',
    status: 'False',
    reason: 'VMINotExists',
    message: 'VMI does not exist',
  } as const
  const old = conditionOf(vm, 'Ready', 'False')
  return old?.reason === none.reason ? old : none
}

/** KubeVirt's words, the first that fits. */
function printableStatusOf(
  vm: VirtualMachine,
  vmi: VirtualMachineInstance | undefined,
  requests: readonly StateChangeRequest[],
): string {
  if (vm.metadata.deletionTimestamp !== undefined) return 'Terminating'
  if (!vmi || isFinal(vmi)) return requests[0]?.action === 'Start' ? 'Starting' : 'Stopped'
  if (vmi.metadata.deletionTimestamp !== undefined) return 'Stopping'
  return vmi.status?.phase === 'Running' ? wordOfRunning(vmi) : wordOfStarting(vmi)
}

function wordOfRunning(vmi: VirtualMachineInstance): string {
  if (isMigrating(vmi)) return 'Migrating'
  return trueCondition(vmi, 'Paused') ? 'Paused' : 'Running'
}

function wordOfStarting(vmi: VirtualMachineInstance): string {
  if (conditionOf(vmi, 'PodScheduled', 'False')?.reason === 'Unschedulable') return 'ErrorUnschedulable'
  const reason = conditionOf(vmi, 'Synchronized', 'False')?.reason
  return reason === 'ErrImagePull' || reason === 'ImagePullBackOff' ? reason : 'Starting'
}

/** Whether a write would change nothing. */
export function isSameStatus(a: VirtualMachineStatus | undefined, b: VirtualMachineStatus): boolean {
  return (
    a !== undefined &&
    a.created === b.created &&
    a.ready === b.ready &&
    a.printableStatus === b.printableStatus &&
    JSON.stringify(a.conditions ?? []) === JSON.stringify(b.conditions) &&
    (a.stateChangeRequests ?? []).length === (b.stateChangeRequests ?? []).length
  )
}
