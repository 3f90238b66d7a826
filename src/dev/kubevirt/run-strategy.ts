import { isFinal } from '../../virt/kubevirt/power-state.ts'
import type {
  StateChangeRequest,
  VirtualMachine,
  VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'

/** What KubeVirt's VM controller does next. */
export type Step = 'start' | 'stop' | 'nothing'

/** The requests that are still to be carried out: only the first is looked at, and dropped when it is done. */
export function trimmed(
  vm: VirtualMachine,
  vmi: VirtualMachineInstance | undefined,
  requests: readonly StateChangeRequest[] = vm.status?.stateChangeRequests ?? [],
): readonly StateChangeRequest[] {
  const [first, ...rest] = requests
  if (first === undefined) return requests
  const isDone = first.action === 'Stop' ? vmi === undefined || first.uid !== vmi.metadata.uid : isLive(vmi)
  return isDone ? trimmed(vm, vmi, rest) : requests
}

function isLive(vmi: VirtualMachineInstance | undefined): boolean {
  return vmi !== undefined && vmi.metadata.deletionTimestamp === undefined && !isFinal(vmi)
}

/** KubeVirt's table of run strategies. `requests` are the trimmed ones. */
export function stepOf(
  vm: VirtualMachine,
  vmi: VirtualMachineInstance | undefined,
  requests: readonly StateChangeRequest[],
): Step {
  if (vm.metadata.deletionTimestamp !== undefined) return vmi ? 'stop' : 'nothing'
  const [first] = requests
  if (vmi && first?.action === 'Stop') return 'stop'
  return vmi ? stepWithVmi(vm.spec.runStrategy, vmi) : stepWithoutVmi(vm, first)
}

function stepWithoutVmi(vm: VirtualMachine, first: StateChangeRequest | undefined): Step {
  const isNew = vm.status?.printableStatus === undefined
  switch (vm.spec.runStrategy) {
    case 'Always':
    case 'Once':
      return 'start'
    case 'Halted':
      return 'nothing'
    case 'RerunOnFailure':
      return isNew || first?.action === 'Start' ? 'start' : 'nothing'
    default:
      return first?.action === 'Start' ? 'start' : 'nothing'
  }
}

/** An ended guest stays where it is (Manual, Once) or makes room for the next. */
function stepWithVmi(runStrategy: string | undefined, vmi: VirtualMachineInstance): Step {
  if (runStrategy === 'Halted') return 'stop'
  const isReplaced = runStrategy === 'Always' || runStrategy === 'RerunOnFailure'
  return isReplaced && isFinal(vmi) ? 'stop' : 'nothing'
}
