import { defineResource, type KubeObject, type ObjectMeta } from '../../kube/resource.ts'
import type { MigrationState } from './migration-resource.ts'

/** KubeVirt's kinds (kubevirt.io/v1), as far as we write or read them. What others write may lack anything. */

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** What KubeVirt is asked to do with a VM that it does not start and stop by itself. Only the first one counts. */
export type StateChangeRequest =
  | { readonly action: 'Start'; readonly data?: Readonly<Record<string, string>> }
  | { readonly action: 'Stop'; readonly uid: string }

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[]
  readonly matchFields?: readonly NodeSelectorRequirement[]
}

export interface NodeSelectorRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

export interface Disk {
  readonly name: string
  readonly disk: { readonly bus: string }
  readonly bootOrder?: number
}

export interface Volume {
  readonly name: string
  readonly containerDisk?: { readonly image: string }
  readonly persistentVolumeClaim?: { readonly claimName: string }
  readonly dataVolume?: { readonly name: string }
  readonly cloudInitNoCloud?: CloudInit
  readonly cloudInitConfigDrive?: CloudInit
}

export type CloudInit = { readonly userData: string } | { readonly secretRef: { readonly name: string } }

export interface Interface {
  readonly name: string
  readonly model?: string
  readonly masquerade: Record<string, never>
}

export interface DataVolumeTemplate {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly source: object
    readonly storage: {
      readonly storageClassName?: string
      readonly resources?: { readonly requests: { readonly storage: string } }
    }
  }
}

export interface VirtualMachineInstanceSpec {
  readonly architecture?: string
  readonly hostname?: string
  readonly evictionStrategy?: string
  readonly terminationGracePeriodSeconds?: number
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms: readonly NodeSelectorTerm[]
      }
    }
  }
  readonly domain: {
    readonly cpu?: { readonly sockets: number; readonly cores: number; readonly threads: number }
    readonly memory?: { readonly guest: string }
    readonly machine?: { readonly type: string }
    readonly firmware?: { readonly uuid: string; readonly serial: string; readonly bootloader?: object }
    readonly devices: { readonly disks?: readonly Disk[]; readonly interfaces?: readonly Interface[] }
  }
  readonly networks?: readonly { readonly name: string; readonly pod: Record<string, never> }[]
  readonly volumes?: readonly Volume[]
}

export interface VirtualMachineStatus {
  readonly created?: boolean
  readonly ready?: boolean
  readonly printableStatus?: string
  readonly conditions?: readonly Condition[]
  readonly stateChangeRequests?: readonly StateChangeRequest[]
}

export interface VirtualMachine extends KubeObject {
  readonly spec: {
    readonly runStrategy?: string
    readonly dataVolumeTemplates?: readonly DataVolumeTemplate[]
    readonly template: {
      readonly metadata?: Pick<ObjectMeta, 'labels' | 'annotations'>
      readonly spec: VirtualMachineInstanceSpec
    }
  }
  readonly status?: VirtualMachineStatus
}

export interface NetworkInterfaceStatus {
  readonly name?: string
  readonly mac?: string
  readonly ipAddress?: string
  readonly ipAddresses?: readonly string[]
}

export interface VirtualMachineInstanceStatus {
  readonly phase?: string
  readonly reason?: string
  readonly nodeName?: string
  readonly migrationState?: MigrationState
  readonly conditions?: readonly Condition[]
  readonly interfaces?: readonly NetworkInterfaceStatus[]
  readonly phaseTransitionTimestamps?: readonly {
    readonly phase: string
    readonly phaseTransitionTimestamp: string
  }[]
}

export interface VirtualMachineInstance extends KubeObject {
  readonly spec: VirtualMachineInstanceSpec
  readonly status?: VirtualMachineInstanceStatus
}

export const VIRTUAL_MACHINE = defineResource<VirtualMachine>({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  namespaced: true,
})

export const VIRTUAL_MACHINE_INSTANCE = defineResource<VirtualMachineInstance>({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'VirtualMachineInstance',
  plural: 'virtualmachineinstances',
  namespaced: true,
})

export interface Secret extends KubeObject {
  readonly type?: string
  readonly immutable?: boolean
  readonly data?: Readonly<Record<string, string>>
}

export const SECRET = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
})

/** The Pods of virt-launcher, as far as we read them. */
export interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string
    readonly initContainers?: readonly { readonly name: string }[]
    readonly containers?: readonly { readonly name: string }[]
  }
  readonly status?: { readonly phase?: string }
}

export const POD = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
})

export interface Node extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean }
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, string>>
    readonly nodeInfo?: { readonly architecture?: string }
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly conditions?: readonly Condition[]
  }
}

export const NODE = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
})

/** The condition of that type, if it holds. */
export function trueCondition(
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
): Condition | undefined {
  return conditionOf(object, type, 'True')
}

export function conditionOf(
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
  status: Condition['status'],
): Condition | undefined {
  return object?.status?.conditions?.find(
    (condition) => condition.type === type && condition.status === status,
  )
}
