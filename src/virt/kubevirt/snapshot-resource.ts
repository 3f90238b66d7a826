import { defineResource, type KubeObject } from '../../kube/resource.ts'

/** The request to copy a VM's disks. */
export interface VirtualMachineSnapshot extends KubeObject {
  readonly spec: {
    readonly source: { readonly apiGroup: string; readonly kind: string; readonly name: string }
  }
  readonly status?: {
    /** InProgress, Succeeded, Failed, ... */
    readonly phase?: string
    readonly readyToUse?: boolean
    readonly virtualMachineSnapshotContentName?: string
    /** The last one; KubeVirt goes on trying until the phase is Failed. */
    readonly error?: { readonly message?: string }
  }
}

/** What a VirtualMachineSnapshot holds. */
export interface VirtualMachineSnapshotContent extends KubeObject {
  readonly spec: {
    readonly source: object
    readonly virtualMachineSnapshotName?: string
    readonly volumeBackups?: readonly {
      readonly volumeName: string
      readonly persistentVolumeClaim: object
      readonly volumeSnapshotName?: string
    }[]
  }
}

export const VIRTUAL_MACHINE_SNAPSHOT = defineResource<VirtualMachineSnapshot>({
  group: 'snapshot.kubevirt.io',
  version: 'v1beta1',
  kind: 'VirtualMachineSnapshot',
  plural: 'virtualmachinesnapshots',
  namespaced: true,
})

export const VIRTUAL_MACHINE_SNAPSHOT_CONTENT = defineResource<VirtualMachineSnapshotContent>({
  group: 'snapshot.kubevirt.io',
  version: 'v1beta1',
  kind: 'VirtualMachineSnapshotContent',
  plural: 'virtualmachinesnapshotcontents',
  namespaced: true,
})
