import { toTimestamp } from '../../common/clock.ts'
import type {
  Condition,
  VirtualMachine,
  VirtualMachineInstance,
  VirtualMachineInstanceStatus,
} from '../../virt/kubevirt/resources.ts'

/** KubeVirt's own name for the finalizer of its VM controller, on VM and VMI. */
export const CONTROLLER_FINALIZER = 'kubevirt.io/virtualMachineControllerFinalize'
const FOREGROUND_FINALIZER = 'foregroundDeleteVirtualMachine'

/** The VMI that a VM is started as: metadata of the template, not of the VM. */
export function toVmi(
  vm: VirtualMachine,
  status: VirtualMachineInstanceStatus,
  isHeld: boolean,
): VirtualMachineInstance {
  const { template } = vm.spec
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: {
      name: vm.metadata.name,
      namespace: vm.metadata.namespace ?? 'default',
      labels: { ...template.metadata?.labels },
      annotations: { ...template.metadata?.annotations },
      ...(isHeld && { finalizers: [CONTROLLER_FINALIZER, FOREGROUND_FINALIZER] }),
      ownerReferences: [
        {
          apiVersion: 'kubevirt.io/v1',
          kind: 'VirtualMachine',
          name: vm.metadata.name,
          uid: vm.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: template.spec,
    status,
  }
}

/** A time as KubeVirt writes it, to the second. */
export function seconds(nowMs: number): string {
  return `${toTimestamp(nowMs).slice(0, 19)}Z`
}

/** The status after a step to another phase. */
export function inPhase(
  phase: string,
  nowMs: number,
  old: VirtualMachineInstanceStatus | undefined,
  change: VirtualMachineInstanceStatus = {},
): VirtualMachineInstanceStatus {
  const time = seconds(nowMs)
  const transitions = old?.phaseTransitionTimestamps ?? []
  return {
    ...old,
    ...change,
    phase,
    phaseTransitionTimestamps: [...transitions, { phase, phaseTransitionTimestamp: time }],
  }
}

export function notReady(reason: string, message: string, nowMs: number): Condition {
  return { type: 'Ready', status: 'False', reason, message, lastTransitionTime: seconds(nowMs) }
}

/** A guest that runs on that node under that address. */
export function running(
  nodeName: string,
  ipAddress: string,
  nowMs: number,
  old?: VirtualMachineInstanceStatus,
): VirtualMachineInstanceStatus {
  return inPhase('Running', nowMs, old, {
    nodeName,
    conditions: [
      { type: 'Ready', status: 'True', lastTransitionTime: seconds(nowMs) },
      { type: 'LiveMigratable', status: 'True', lastTransitionTime: seconds(nowMs) },
    ],
    interfaces: [{ name: 'default', mac: macOf(ipAddress), ipAddress, ipAddresses: [ipAddress] }],
  })
}

/** From the address, so that the two are unique together. */
function macOf(ipAddress: string): string {
  const bytes = ipAddress.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
  return ['02', '00', ...bytes].join(':')
}
