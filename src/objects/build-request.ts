import { isIP } from 'node:net'
import { z } from 'zod'
import type { Image } from '../apis/v1alpha1/image.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import {
  FlavorDiskSmallerThanMinDisk,
  FlavorMemoryTooSmall,
  ImageUnacceptable,
} from '../common/errors/flavor-and-image.ts'

/** Which instance a message is about. The uid decides: names come again after a delete. */
export const instanceRef = z.object({ namespace: z.string(), name: z.string(), uid: z.string() })
export type InstanceRef = z.infer<typeof instanceRef>

/** The size of an instance, as it was when it was asked for. */
export const flavorSize = z.object({
  name: z.string(),
  vcpus: z.int().min(1),
  /** MiB. */
  memoryMb: z.int().min(1),
  /** GiB. */
  diskGb: z.int().min(0),
})
export type FlavorSize = z.infer<typeof flavorSize>

/**
 * The flavor that an instance carries with it from the day it is bound: only a resize gives it another, and what becomes of the
 * Flavor itself is nothing to it. Nova's `instance.flavor`.
 */
export const instanceFlavor = flavorSize.extend({
  /** What it asks of a host besides; absent where an older version wrote it. */
  extraSpecs: z.record(z.string(), z.string()).optional(),
})
export type InstanceFlavor = z.infer<typeof instanceFlavor>

export const dataVolumeSource = z.union([
  z.object({ http: z.object({ url: z.string() }) }),
  z.object({ registry: z.object({ url: z.string() }) }),
  z.object({ pvc: z.object({ namespace: z.string(), name: z.string() }) }),
  z.object({ snapshot: z.object({ namespace: z.string(), name: z.string() }) }),
])

export const diskSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('containerDisk'), image: z.string() }),
  z.object({ kind: z.literal('persistentVolumeClaim'), claimName: z.string() }),
  z.object({
    kind: z.literal('dataVolume'),
    source: dataVolumeSource,
    storageClassName: z.string().exactOptional(),
  }),
])
export type DiskSource = z.infer<typeof diskSource>

export const imageProperties = z.object({
  hw_architecture: z.enum(['x86_64', 'aarch64', 's390x']).exactOptional(),
  img_hv_type: z.enum(['kvm', 'qemu']).exactOptional(),
  hw_vm_mode: z.enum(['hvm']).exactOptional(),
  hw_disk_bus: z.enum(['virtio', 'scsi', 'sata', 'usb']).exactOptional(),
  hw_vif_model: z.enum(['virtio', 'e1000', 'e1000e', 'rtl8139', 'pcnet', 'ne2k_pci', 'igb']).exactOptional(),
  hw_machine_type: z.string().exactOptional(),
  hw_firmware_type: z.enum(['bios', 'uefi']).exactOptional(),
  img_config_drive: z.enum(['mandatory', 'optional']).exactOptional(),
  os_distro: z.string().exactOptional(),
  os_shutdown_timeout: z.int().min(0).exactOptional(),
  traits_required: z.array(z.string()).exactOptional(),
})
export type ImageProperties = z.infer<typeof imageProperties>

/**
 * The image that an instance carries with it from the day it is bound: only a rebuild gives it another, and what becomes of the
 * Image itself is nothing to it. Nova's `instance.image_meta`.
 */
export const imageMeta = z.object({
  name: z.string(),
  disk: diskSource,
  properties: imageProperties,
  /** MiB. */
  minRamMb: z.int(),
  /** GiB. */
  minDiskGb: z.int(),
})
export type ImageMeta = z.infer<typeof imageMeta>

/** What a user tells the scheduler besides. Nova's os:scheduler_hints, under Nova's names. */
export const schedulerHints = z
  .object({
    /** Name of a ServerGroup of the same namespace. */
    group: z.string().optional(),
    /** Names of instances of the same namespace. */
    different_host: z.array(z.string()).optional(),
    same_host: z.array(z.string()).optional(),
    /** An address in the network that the host's is to be in, … */
    build_near_host_ip: z.string().refine(isAddress, 'this is no IP address').optional(),
    /** … and how many bits that network's addresses have in common: `/16`. */
    cidr: z
      .string()
      .regex(/^\/(\d|[1-9]\d|1[01]\d|12[0-8])$/)
      .optional(),
  })
  .refine(({ build_near_host_ip: near, cidr }) => cidr === undefined || isPrefixOf(cidr, near), {
    path: ['cidr'],
    error: 'this needs build_near_host_ip, and is no longer than that address',
  })

/** As the API server sees it: an address with a zone is none. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%')
}

function isPrefixOf(cidr: string, address: string | undefined): boolean {
  return address !== undefined && (address.includes(':') || Number(cidr.slice(1)) <= 32)
}
export type SchedulerHints = z.infer<typeof schedulerHints>

/**
 * Everything that is needed to place and build one instance: it travels with the messages, so that a change
 * to the flavor or the image in the meantime does not reach a build under way. Nova's RequestSpec.
 */
export const buildRequest = z.object({
  instance: instanceRef,
  flavor: flavorSize,
  /** Of the flavor that the instance has or is getting. */
  extraSpecs: z.record(z.string(), z.string()).default({}),
  /** Without the least sizes where an older version sent it. */
  image: imageMeta.partial({ minRamMb: true, minDiskGb: true }),
  hostname: z.string(),
  availabilityZone: z.string().optional(),
  /** The one host that may be chosen. Nova's requested_destination. */
  requestedHost: z.string().optional(),
  hints: schedulerHints.optional(),
  userData: z.string().optional(),
  userDataSecret: z.string().optional(),
})
export type BuildRequest = z.infer<typeof buildRequest>

/** The reference to an instance, for messages and logs. */
export function refOfInstance(instance: Instance): InstanceRef {
  const { namespace, name, uid } = instance.metadata
  return { namespace: namespace ?? 'default', name, uid: uid ?? '' }
}

/**
 * Checks that the flavor is enough for the image. Nova: `_validate_flavor_image_nostatus`.
 * @throws FlavorMemoryTooSmall, FlavorDiskSmallerThanMinDisk
 */
export function checkFlavorFitsImage(flavor: FlavorSize, image: ImageMeta): void {
  const { name, minRamMb, minDiskGb } = image
  if (flavor.memoryMb < minRamMb) {
    throw new FlavorMemoryTooSmall({ flavor: flavor.name, memoryMb: flavor.memoryMb, image: name, minRamMb })
  }
  // A flavor without a disk takes the image's own size, so there is nothing to compare.
  if (flavor.diskGb > 0 && flavor.diskGb < minDiskGb) {
    throw new FlavorDiskSmallerThanMinDisk({
      flavor: flavor.name,
      diskGb: flavor.diskGb,
      image: name,
      minDiskGb,
    })
  }
}

/** What of a flavor is booked, and nothing else of it. */
export function sizeOf({ name, vcpus, memoryMb, diskGb }: FlavorSize): FlavorSize {
  return { name, vcpus, memoryMb, diskGb }
}

/** The request to build an instance of this flavor from this image. */
export function toBuildRequest(instance: Instance, flavor: InstanceFlavor, image: ImageMeta): BuildRequest {
  const { spec } = instance
  return {
    instance: refOfInstance(instance),
    flavor: sizeOf(flavor),
    extraSpecs: { ...flavor.extraSpecs },
    image,
    hostname: spec.hostname ?? instance.metadata.name,
    availabilityZone: spec.availabilityZone,
    requestedHost: spec.requestedHost,
    hints: schedulerHints.optional().parse(spec.schedulerHints),
    userData: spec.userData,
    userDataSecret: spec.userDataSecret?.name,
  }
}

/**
 * What an instance carries of an image.
 * @throws ImageUnacceptable when it names no source for its disk
 */
export function toImageMeta(image: Image): ImageMeta {
  const { name } = image.metadata
  const { minRamMb, minDiskGb, properties } = image.spec
  const disk = diskSourceOf(image)
  if (!disk) throw new ImageUnacceptable({ image: name, reason: 'it names no source for its disk' })
  return { name, disk, properties: imageProperties.parse(properties), minRamMb, minDiskGb }
}

/** The image that the instance of a request is to carry; none where an older version said less of it than that. */
export function imageMetaOf({ image }: BuildRequest): ImageMeta | undefined {
  const { minRamMb, minDiskGb } = image
  return minRamMb === undefined || minDiskGb === undefined ? undefined : { ...image, minRamMb, minDiskGb }
}

function diskSourceOf(image: Image): DiskSource | undefined {
  const { containerDisk, persistentVolumeClaim, dataVolume } = image.spec
  if (containerDisk) return { kind: 'containerDisk', image: containerDisk.image }
  if (persistentVolumeClaim) {
    return { kind: 'persistentVolumeClaim', claimName: persistentVolumeClaim.claimName }
  }
  if (!dataVolume) return undefined
  const { storageClassName } = dataVolume
  return {
    kind: 'dataVolume',
    source: dataVolumeSource.parse(dataVolume),
    ...(storageClassName !== undefined && { storageClassName }),
  }
}
