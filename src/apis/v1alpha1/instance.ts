// Generated from crds/compute.kilonova.dev_instances.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type InstanceSpecPowerState = 'Running' | 'Shutdown'

export interface InstanceSpecSchedulerHints {
  /** The ServerGroup, of the same namespace, that the instance is a member of. */
  readonly group?: string
  /** Names of instances of the same namespace whose hosts are not chosen. */
  readonly different_host?: readonly string[]
  /** Names of instances of the same namespace of whose hosts one is chosen. */
  readonly same_host?: readonly string[]
}

export interface InstanceSpecUserDataSecret {
  readonly name: string
}

export interface InstanceSpec {
  /** Name of the Flavor. */
  readonly flavor: string
  /** Name of the Image to boot from. */
  readonly image: string
  /** The state you want the guest to be in. A guest that shuts itself down turns this to Shutdown, as in Nova it stays off. */
  readonly powerState: InstanceSpecPowerState
  /** Only hosts of this zone are chosen. */
  readonly availabilityZone?: string
  /** Only this host is chosen, if it passes the filters. Where Kilonova's policies are on, asking for it needs the right to create instances/forcehost. */
  readonly requestedHost?: string
  /** What the scheduler is told besides. Nova's os:scheduler_hints, under Nova's names. */
  readonly schedulerHints?: InstanceSpecSchedulerHints
  /** The guest's host name. The instance's name when unset. */
  readonly hostname?: string
  /** Data for cloud-init in the guest, in base64; at most 65535 characters of it, as in Nova. */
  readonly userData?: string
  /** A Secret in this namespace whose key userdata holds the data for cloud-init. */
  readonly userDataSecret?: InstanceSpecUserDataSecret
  /** Nova's server metadata, yours to fill. */
  readonly metadata?: Readonly<Record<string, string>>
}

export type InstanceStatusStatus =
  | 'BUILD'
  | 'ACTIVE'
  | 'SHUTOFF'
  | 'PAUSED'
  | 'SUSPENDED'
  | 'ERROR'
  | 'DELETED'
  | 'UNKNOWN'

export type InstanceStatusVmState =
  | 'building'
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'error'
  | 'deleted'

export type InstanceStatusTaskState = 'scheduling' | 'spawning' | 'powering-off' | 'powering-on' | 'deleting'

export type InstanceStatusPowerState = 'NOSTATE' | 'RUNNING' | 'PAUSED' | 'SHUTDOWN' | 'CRASHED' | 'SUSPENDED'

export interface InstanceStatusFlavor {
  readonly name: string
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
}

export interface InstanceStatusAddress {
  readonly address: string
  readonly network?: string
  readonly macAddress?: string
}

export interface InstanceStatusFault {
  readonly code: number
  /** The error's class. */
  readonly reason?: string
  readonly message: string
  readonly host?: string
  readonly requestId: string
  readonly created: string
}

export type InstanceStatusLockedBy = 'owner' | 'admin'

export type InstanceStatusConditionStatus = 'True' | 'False' | 'Unknown'

export interface InstanceStatusCondition {
  readonly type: string
  readonly status: InstanceStatusConditionStatus
  readonly observedGeneration?: number
  readonly lastTransitionTime: string
  readonly reason: string
  readonly message: string
}

export interface InstanceStatus {
  /** The instance's UUID, its metadata.uid. */
  readonly id?: string
  /** The state in one word, as Nova's API says it. */
  readonly status?: InstanceStatusStatus
  /** The stable state. Nova's vm_state. */
  readonly vmState?: InstanceStatusVmState
  /** The operation in flight; absent when there is none. Nova's task_state. */
  readonly taskState?: InstanceStatusTaskState
  /** What the hypervisor said last. Nova's power_state. */
  readonly powerState?: InstanceStatusPowerState
  /** The host the instance is bound to. Its resources stay booked there until it is deleted. */
  readonly host?: string
  /** The zone of that host. */
  readonly availabilityZone?: string
  /** The id of the last request; search every service's log for it. */
  readonly requestId?: string
  /** How many hosts the build was sent to. With the host it makes a claim; a message of an earlier attempt is dropped. */
  readonly attempt?: number
  /** Hosts that failed to build the instance. */
  readonly triedHosts?: readonly string[]
  /** Hosts the scheduler would take next. */
  readonly alternates?: readonly string[]
  /** The flavor as it was when the instance was bound; this is what is booked. */
  readonly flavor?: InstanceStatusFlavor
  /** Seconds the guest gets to shut itself down, where its image says so. */
  readonly shutdownTimeoutSeconds?: number
  readonly addresses?: readonly InstanceStatusAddress[]
  /** Why the last operation failed. Cleared when the next one succeeds. */
  readonly fault?: InstanceStatusFault
  /** Set while the instance is locked, by its owner or by an administrator. Nova's locked_by. */
  readonly lockedBy?: InstanceStatusLockedBy
  /** Why it was locked, where whoever locked it said so. Nova's locked_reason. */
  readonly lockedReason?: string
  readonly launchedAt?: string
  readonly terminatedAt?: string
  /** The generation of spec that the last operation began from. */
  readonly observedGeneration?: number
  readonly conditions?: readonly InstanceStatusCondition[]
}

/** A virtual machine with Nova's life cycle. The namespace is the project. */
export interface Instance extends KubeObject {
  readonly spec: InstanceSpec
  readonly status: InstanceStatus
}

export const INSTANCE = defineResource<Instance>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'Instance',
  plural: 'instances',
  namespaced: true,
})
