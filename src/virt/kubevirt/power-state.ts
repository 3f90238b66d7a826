import type { GuestAddress, PowerState } from '../driver.ts'
import { conditionOf, trueCondition, type VirtualMachine, type VirtualMachineInstance } from './resources.ts'

/** A guest's two objects, as they are known now. */
export interface Machine {
  readonly vm?: VirtualMachine | undefined
  readonly vmi?: VirtualMachineInstance | undefined
}

/** The guest has ended; KubeVirt may keep the object. */
export function isFinal(vmi: VirtualMachineInstance): boolean {
  return vmi.status?.phase === 'Succeeded' || vmi.status?.phase === 'Failed'
}

/** KubeVirt was asked to start the guest, and has not taken the request off its list. */
export function hasStartRequest(vm: VirtualMachine | undefined): boolean {
  return vm?.status?.stateChangeRequests?.some(({ action }) => action === 'Start') ?? false
}

/**
 * KubeVirt was asked to start the guest and will make it. A start alone does nothing while an ended guest's
 * VMI is there: that must be on its way out.
 */
export function isStartPending({ vm, vmi }: Machine): boolean {
  if (!hasStartRequest(vm)) return false
  if (!vmi) return true
  const first = vm?.status?.stateChangeRequests?.[0]
  const isStopped = first?.action === 'Stop' && first.uid === vmi.metadata.uid
  return isFinal(vmi) && (isStopped || vmi.metadata.deletionTimestamp !== undefined)
}

/** It got as far as running, whatever became of it. */
export function hasRun(vmi: VirtualMachineInstance): boolean {
  return vmi.status?.phaseTransitionTimestamps?.some(({ phase }) => phase === 'Running') ?? false
}

/**
 * A guest's power state in Nova's words. `printableStatus` is not used: it says `Stopped` for a crash, and
 * `Running` for a guest on a dead node.
 */
export function powerStateOf(machine: Machine): PowerState {
  const { vm, vmi } = machine
  if (!vm && !vmi) return 'NOSTATE'
  if (isStartPending(machine)) return 'NOSTATE'
  // A guest whose VM goes is not one that shut itself down: soon there is none.
  if (isGoing(vm) && (!vmi || isFinal(vmi))) return 'NOSTATE'
  if (!vmi) return 'SHUTDOWN'
  switch (vmi.status?.phase) {
    case 'Running':
      return stateOfRunning(vmi)
    case 'Succeeded':
      return 'SHUTDOWN'
    case 'Failed':
      // A guest that is killed when its grace is over ends as Failed too; then we wanted it off.
      return vmi.metadata.deletionTimestamp === undefined ? 'CRASHED' : 'SHUTDOWN'
    default:
      return 'NOSTATE'
  }
}

function isGoing(vm: VirtualMachine | undefined): boolean {
  return vm === undefined || vm.metadata.deletionTimestamp !== undefined
}

function stateOfRunning(vmi: VirtualMachineInstance): PowerState {
  // The node does not report: nobody knows.
  if (conditionOf(vmi, 'Ready', 'False')?.reason === 'NodeNotReady') return 'NOSTATE'
  return trueCondition(vmi, 'Paused') ? 'PAUSED' : 'RUNNING'
}

/** Where a guest that runs can be reached. */
export function addressesOf({ vmi }: Machine): readonly GuestAddress[] {
  if (vmi?.status?.phase !== 'Running') return []
  return (vmi.status.interfaces ?? []).flatMap(({ name, mac, ipAddress, ipAddresses }) => {
    const addresses = ipAddresses?.length ? ipAddresses : ipAddress ? [ipAddress] : []
    return addresses.map((address) => ({
      address,
      ...(name !== undefined && { network: name }),
      ...(mac !== undefined && { macAddress: mac }),
    }))
  })
}
