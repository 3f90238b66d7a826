// Generated from crds/compute.kilonova.dev_images.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface ImageSpecContainerDisk {
  /** The container image's reference. */
  readonly image: string
}

export interface ImageSpecPersistentVolumeClaim {
  readonly claimName: string
}

export interface ImageSpecDataVolumeHttp {
  readonly url: string
}

export interface ImageSpecDataVolumeRegistry {
  readonly url: string
}

export interface ImageSpecDataVolumePvc {
  readonly namespace: string
  readonly name: string
}

export interface ImageSpecDataVolumeSnapshot {
  readonly namespace: string
  readonly name: string
}

export interface ImageSpecDataVolume {
  readonly http?: ImageSpecDataVolumeHttp
  readonly registry?: ImageSpecDataVolumeRegistry
  readonly pvc?: ImageSpecDataVolumePvc
  /** A VolumeSnapshot, such as the snapshot of an instance. */
  readonly snapshot?: ImageSpecDataVolumeSnapshot
  readonly storageClassName?: string
}

export type ImageSpecPropertiesHw_architecture = 'x86_64' | 'aarch64' | 's390x'

export type ImageSpecPropertiesImg_hv_type = 'kvm' | 'qemu'

export type ImageSpecPropertiesHw_vm_mode = 'hvm'

export type ImageSpecPropertiesHw_disk_bus = 'virtio' | 'scsi' | 'sata' | 'usb'

export type ImageSpecPropertiesHw_vif_model =
  | 'virtio'
  | 'e1000'
  | 'e1000e'
  | 'rtl8139'
  | 'pcnet'
  | 'ne2k_pci'
  | 'igb'

export type ImageSpecPropertiesHw_firmware_type = 'bios' | 'uefi'

export type ImageSpecPropertiesImg_config_drive = 'mandatory' | 'optional'

export interface ImageSpecProperties {
  /** Only hosts of this architecture are chosen (x86_64, aarch64, s390x). */
  readonly hw_architecture?: ImageSpecPropertiesHw_architecture
  /** Only hosts with this hypervisor type are chosen. */
  readonly img_hv_type?: ImageSpecPropertiesImg_hv_type
  /** Only hosts that offer this VM mode are chosen. */
  readonly hw_vm_mode?: ImageSpecPropertiesHw_vm_mode
  /** Bus of the root disk. */
  readonly hw_disk_bus?: ImageSpecPropertiesHw_disk_bus
  /** Model of the network interface. */
  readonly hw_vif_model?: ImageSpecPropertiesHw_vif_model
  readonly hw_machine_type?: string
  readonly hw_firmware_type?: ImageSpecPropertiesHw_firmware_type
  /** mandatory gives the guest a config drive instead of a NoCloud disk. */
  readonly img_config_drive?: ImageSpecPropertiesImg_config_drive
  /** Only hosts with all these traits are chosen. */
  readonly traits_required?: readonly string[]
  /** The distribution of the operating system, such as debian or windows. Aggregates can be for images with it, and hosts weighed by it. */
  readonly os_distro?: string
  /** Seconds the guest gets to shut itself down before it is forced off. */
  readonly os_shutdown_timeout?: number
}

export interface ImageSpec {
  /** A disk in a container image. The instance's copy is lost when it is shut off. */
  readonly containerDisk?: ImageSpecContainerDisk
  /** A disk in a PersistentVolumeClaim of the instance's namespace, used as it is. */
  readonly persistentVolumeClaim?: ImageSpecPersistentVolumeClaim
  /** A disk that CDI makes for each instance, of the flavor's size, from this source. */
  readonly dataVolume?: ImageSpecDataVolume
  /** The least memory a flavor must have, in MiB. */
  readonly minRamMb: number
  /** The least root disk a flavor must have, in GiB. */
  readonly minDiskGb: number
  /** Image properties, under the names they have in Glance. */
  readonly properties: ImageSpecProperties
}

/** What an instance boots from, and what it needs of a flavor and of a host. An instance keeps the image as it was when it was bound to its host or rebuilt; later changes do not reach it, nor does the deletion. */
export interface Image extends KubeObject {
  readonly spec: ImageSpec
}

export const IMAGE = defineResource<Image>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'Image',
  plural: 'images',
  namespaced: false,
})
