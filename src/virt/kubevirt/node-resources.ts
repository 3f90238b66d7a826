import type { HostResources } from '../driver.ts'
import { toNovaArchitecture } from './properties.ts'
import { parseQuantity } from './quantity.ts'
import type { Node } from './resources.ts'

const ZONE_LABEL = 'topology.kubernetes.io/zone'
/** KubeVirt's device plugin offers it where the kernel has KVM. */
const KVM_DEVICE = 'devices.kubevirt.io/kvm'

/** What a node has for guests. */
export function hostResourcesOf(node: Node): HostResources {
  const amount = (name: string, unit: number): number => {
    const quantity = parseQuantity(node.status?.allocatable?.[name] ?? '0') ?? 0
    return Math.floor(quantity / unit)
  }
  return {
    vcpus: amount('cpu', 1),
    memoryMb: amount('memory', 2 ** 20),
    diskGb: amount('ephemeral-storage', 2 ** 30),
    hypervisorType: amount(KVM_DEVICE, 1) > 0 ? 'kvm' : 'qemu',
    architecture: toNovaArchitecture(node.status?.nodeInfo?.architecture ?? 'amd64'),
    hostIp: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
    availabilityZone: node.metadata.labels?.[ZONE_LABEL],
  }
}
