// Generated from crds/compute.kilonova.dev_instances.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type InstanceSpecPowerState = 'Running' | 'Shutdown' | 'Paused' | 'Suspended'

export interface InstanceSpecSchedulerHints {
  /** The ServerGroup, of the same namespace, that the instance is a member of. */
  readonly group?: string
  /** Names of instances of the same namespace whose hosts are not chosen. */
  readonly different_host?: readonly string[]
  /** Names of instances of the same namespace of whose hosts one is chosen. */
  readonly same_host?: readonly string[]
  /** Only hosts with an address in the network of this one are chosen, where the scheduler runs SimpleCIDRAffinityFilter. */
  readonly build_near_host_ip?: string
  /** How many bits at the front the addresses have in common, such as /16; /24 when unset. */
  readonly cidr?: string
}

export interface InstanceSpecUserDataSecret {
  readonly name: string
}

export interface InstanceSpec {
  /** Name of the Flavor. Another one resizes the instance, to be confirmed or reverted by an InstanceAction. */
  readonly flavor: string
  /** Name of the Image to boot from. Changes with a rebuild, which is asked for by an InstanceAction. */
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
  | 'RESCUE'
  | 'RESIZE'
  | 'VERIFY_RESIZE'
  | 'REVERT_RESIZE'
  | 'MIGRATING'
  | 'REBOOT'
  | 'HARD_REBOOT'
  | 'REBUILD'
  | 'SHELVED'
  | 'SHELVED_OFFLOADED'
  | 'SOFT_DELETED'
  | 'ERROR'
  | 'DELETED'
  | 'UNKNOWN'

export type InstanceStatusVmState =
  | 'building'
  | 'active'
  | 'stopped'
  | 'paused'
  | 'suspended'
  | 'rescued'
  | 'resized'
  | 'shelved'
  | 'shelved_offloaded'
  | 'soft-delete'
  | 'error'
  | 'deleted'

export type InstanceStatusTaskState =
  | 'scheduling'
  | 'spawning'
  | 'powering-off'
  | 'powering-on'
  | 'pausing'
  | 'unpausing'
  | 'suspending'
  | 'resuming'
  | 'rebooting'
  | 'rebooting_hard'
  | 'rescuing'
  | 'unrescuing'
  | 'rebuilding'
  | 'resize_prep'
  | 'resize_migrating'
  | 'resize_migrated'
  | 'resize_confirming'
  | 'resize_reverting'
  | 'migrating'
  | 'shelving'
  | 'shelving_offloading'
  | 'unshelving'
  | 'image_snapshot'
  | 'soft-deleting'
  | 'restoring'
  | 'deleting'

export type InstanceStatusPowerState = 'NOSTATE' | 'RUNNING' | 'PAUSED' | 'SHUTDOWN' | 'CRASHED' | 'SUSPENDED'

export interface InstanceStatusFlavor {
  readonly name: string
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
  /** What it asks of a host besides. Where an older version left them out, they are what the Flavor has now. */
  readonly extraSpecs?: Readonly<Record<string, string>>
}

export type InstanceStatusImageMetaDiskKind = 'containerDisk' | 'persistentVolumeClaim' | 'dataVolume'

export interface InstanceStatusImageMetaDiskSourceHttp {
  readonly url: string
}

export interface InstanceStatusImageMetaDiskSourceRegistry {
  readonly url: string
}

export interface InstanceStatusImageMetaDiskSourcePvc {
  readonly namespace: string
  readonly name: string
}

export interface InstanceStatusImageMetaDiskSourceSnapshot {
  readonly namespace: string
  readonly name: string
}

export interface InstanceStatusImageMetaDiskSource {
  readonly http?: InstanceStatusImageMetaDiskSourceHttp
  readonly registry?: InstanceStatusImageMetaDiskSourceRegistry
  readonly pvc?: InstanceStatusImageMetaDiskSourcePvc
  readonly snapshot?: InstanceStatusImageMetaDiskSourceSnapshot
}

export interface InstanceStatusImageMetaDisk {
  readonly kind: InstanceStatusImageMetaDiskKind
  /** Of a containerDisk, the container image's reference. */
  readonly image?: string
  /** Of a persistentVolumeClaim, its name. */
  readonly claimName?: string
  /** Of a dataVolume, its source. */
  readonly source?: InstanceStatusImageMetaDiskSource
  /** Of a dataVolume, where one was asked for. */
  readonly storageClassName?: string
}

export interface InstanceStatusImageMetaProperties {
  readonly hw_architecture?: string
  readonly img_hv_type?: string
  readonly hw_vm_mode?: string
  readonly hw_disk_bus?: string
  readonly hw_vif_model?: string
  readonly hw_machine_type?: string
  readonly hw_firmware_type?: string
  readonly img_config_drive?: string
  readonly traits_required?: readonly string[]
  readonly os_distro?: string
  readonly os_shutdown_timeout?: number
}

export interface InstanceStatusImageMeta {
  readonly name: string
  readonly minRamMb: number
  readonly minDiskGb: number
  /** Where the disk of the image comes from. */
  readonly disk: InstanceStatusImageMetaDisk
  /** The image properties, under the names they have in Glance. */
  readonly properties: InstanceStatusImageMetaProperties
}

export interface InstanceStatusAction {
  /** Name of the InstanceAction. It records the operation. */
  readonly name: string
  /** The operation, under Nova's name. */
  readonly operation: string
  /** The image to rescue with or to rebuild from. */
  readonly image?: string
  /** The name of the image to be made. */
  readonly imageName?: string
}

export type InstanceStatusMigrationType = 'resize' | 'migration' | 'live-migration' | 'evacuation'

export type InstanceStatusMigrationStatus =
  | 'accepted'
  | 'preparing'
  | 'running'
  | 'finished'
  | 'confirming'
  | 'reverting'

export type InstanceStatusMigrationOldVmState = 'active' | 'stopped' | 'paused' | 'error'

export interface InstanceStatusMigrationOldFlavor {
  readonly name: string
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
  readonly extraSpecs?: Readonly<Record<string, string>>
}

export interface InstanceStatusMigrationNewFlavor {
  readonly name: string
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
  readonly extraSpecs?: Readonly<Record<string, string>>
}

export interface InstanceStatusMigration {
  readonly type: InstanceStatusMigrationType
  /** Nova's word for how far it has come. finished waits to be confirmed or reverted. */
  readonly status: InstanceStatusMigrationStatus
  readonly sourceHost?: string
  /** Where it goes; absent until the scheduler has chosen. Its resources are booked there as well. */
  readonly destHost?: string
  /** The host that was asked for. */
  readonly requestedHost?: string
  /** What the instance was before; it is so again afterwards. */
  readonly oldVmState: InstanceStatusMigrationOldVmState
  /** Of a resize, the flavor it goes back to in a revert. Booked at the source until it is confirmed. */
  readonly oldFlavor?: InstanceStatusMigrationOldFlavor
  /** Of a resize, the flavor it gets, as it was when the resize began. */
  readonly newFlavor?: InstanceStatusMigrationNewFlavor
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
  /** The flavor as it was when the instance was bound or resized. This is what is booked and what every later move goes by; the Flavor itself may change or go. */
  readonly flavor?: InstanceStatusFlavor
  /** The image of the disk, once the instance was rebuilt; until then it is that of spec. */
  readonly image?: string
  /** The image as it was when the instance was bound or rebuilt. This is what every later move goes by; the Image itself may change or go. Where an older version left it out, it is what the Image says now. Nova's image_meta. */
  readonly imageMeta?: InstanceStatusImageMeta
  /** The InstanceAction that asked for the last operation, and what it gave along; absent where the operation was asked for on the Instance. */
  readonly action?: InstanceStatusAction
  /** The way of an instance from one host to another, or from one flavor to another, until it is over. Nova's migration record. */
  readonly migration?: InstanceStatusMigration
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
  readonly shelvedAt?: string
  readonly softDeletedAt?: string
  readonly resizedAt?: string
  readonly terminatedAt?: string
  /** The generation of spec that the last operation began from. */
  readonly observedGeneration?: number
  /** The generation of spec whose wish could not be met. It is not tried again until spec changes. */
  readonly failedGeneration?: number
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
