import { isDeepStrictEqual } from 'node:util'
import { NotSupported } from '../../common/errors/guest.ts'
import type { DiskSource, GuestRef } from '../driver.ts'
import { HOST_LABEL, INSTANCE_UID_LABEL } from './ownership.ts'
import type {
  DataVolumeTemplate,
  Disk,
  VirtualMachine,
  VirtualMachineInstanceSpec,
  Volume,
} from './resources.ts'
import { ROOT } from './to-virtual-machine.ts'

type MachineSpec = VirtualMachine['spec']

const RESCUE = 'rescue'

/** The disk that a guest is rescued from, as a VM has it. */
export interface RescueParts {
  readonly volume: Volume
  /** What KubeVirt makes the volume of, where it is not there already. */
  readonly template?: DataVolumeTemplate | undefined
}

/** What of a VM's specification changes with a rescue disk: a merge patch, whose lists are whole. */
export interface RescuePatch {
  readonly dataVolumeTemplates?: readonly DataVolumeTemplate[] | null
  readonly template: {
    readonly spec: {
      readonly domain: { readonly devices: { readonly disks: readonly Disk[] } }
      readonly volumes: readonly Volume[]
    }
  }
}

/** The rescue disk in a template or a guest, if any. */
export function rescueVolumeOf(spec: VirtualMachineInstanceSpec): Volume | undefined {
  return spec.volumes?.find(({ name }) => name === RESCUE)
}

/** Whether the VM has exactly that rescue disk. */
export function hasRescueDisk(spec: MachineSpec, { volume, template }: RescueParts): boolean {
  const made = spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === volume.dataVolume?.name)
  return (
    isDeepStrictEqual(rescueVolumeOf(spec.template.spec), volume) &&
    isDeepStrictEqual(made?.spec.source, template?.spec.source)
  )
}

/** With the rescue disk first and every other one place later. What other one was there goes. */
export function withRescueDisk(spec: MachineSpec, { volume, template }: RescueParts): RescuePatch {
  const { domain, volumes } = withoutRescueDisk(spec).template.spec
  const { disks } = domain.devices
  const bus = disks.find(({ name }) => name === ROOT)?.disk.bus ?? 'virtio'
  const rescue: Disk = { name: RESCUE, disk: { bus }, bootOrder: 1 }
  return {
    ...(template && { dataVolumeTemplates: [...(spec.dataVolumeTemplates ?? []), template] }),
    ...templateOf([rescue, ...disks.map((disk) => moved(disk, 1))], [volume, ...volumes]),
  }
}

export function withoutRescueDisk(spec: MachineSpec): RescuePatch {
  const { disks = [] } = spec.template.spec.domain.devices
  const volumes = spec.template.spec.volumes ?? []
  const rescue = rescueVolumeOf(spec.template.spec)
  if (!rescue) return templateOf(disks, volumes)
  const madeOf = rescue.dataVolume?.name
  const left = spec.dataVolumeTemplates?.filter(({ metadata }) => metadata.name !== madeOf) ?? []
  return {
    ...(madeOf !== undefined && { dataVolumeTemplates: left.length > 0 ? left : null }),
    ...templateOf(
      disks.filter(({ name }) => name !== RESCUE).map((disk) => moved(disk, -1)),
      volumes.filter(({ name }) => name !== RESCUE),
    ),
  }
}

/** With a part of the uid, as the root disk has it. The cluster's policies know an agent's own rescue disks by it. */
export function rescueDataVolumeNameOf(guest: GuestRef): string {
  return `${guest.name}-rescue-${guest.uid.slice(0, 8)}`
}

/** The disk to rescue that guest from. */
export function toRescueParts(disk: DiskSource, guest: GuestRef, vm: VirtualMachine): RescueParts {
  switch (disk.kind) {
    case 'containerDisk':
      return { volume: { name: RESCUE, containerDisk: { image: disk.image } } }
    case 'persistentVolumeClaim': {
      const claimName = unusedClaim(disk.claimName, vm.spec)
      return { volume: { name: RESCUE, persistentVolumeClaim: { claimName } } }
    }
    case 'dataVolume': {
      const template = rescueDataVolumeOf(disk, guest, vm)
      return { volume: { name: RESCUE, dataVolume: { name: template.metadata.name } }, template }
    }
  }
}

/** A copy is as large as what it is of; what is imported, as large as the guest's own disk, as in Nova. */
function rescueDataVolumeOf(
  { source, storageClassName }: Extract<DiskSource, { readonly kind: 'dataVolume' }>,
  guest: GuestRef,
  { metadata, spec }: VirtualMachine,
): DataVolumeTemplate {
  const isCopy = 'pvc' in source || 'snapshot' in source
  const resources = isCopy ? undefined : ownDiskOf(spec)?.spec.storage.resources
  if (!isCopy && !resources) {
    throw notSupported('the image has to be imported, and the instance has no disk whose size it could get')
  }
  const labels = {
    [INSTANCE_UID_LABEL]: guest.uid,
    [HOST_LABEL]: metadata.labels?.[HOST_LABEL] ?? '',
  }
  return {
    metadata: { name: rescueDataVolumeNameOf(guest), labels },
    spec: {
      source,
      storage: {
        ...(storageClassName !== undefined && { storageClassName }),
        ...(resources && { resources }),
      },
    },
  }
}

function ownDiskOf(spec: MachineSpec): DataVolumeTemplate | undefined {
  const root = spec.template.spec.volumes?.find(({ name }) => name === ROOT)?.dataVolume?.name
  return spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === root)
}

function unusedClaim(claimName: string, spec: MachineSpec): string {
  const isInUse = spec.template.spec.volumes?.some(
    ({ name, persistentVolumeClaim: claim }) => name !== RESCUE && claim?.claimName === claimName,
  )
  if (isInUse) throw notSupported(`the instance itself runs from the claim ${claimName}`)
  return claimName
}

function notSupported(why: string): NotSupported {
  const reason = `${why}; rescue it from another image, one with a containerDisk`
  return new NotSupported({ operation: 'rescue', reason })
}

function moved(disk: Disk, by: number): Disk {
  return disk.bootOrder === undefined ? disk : { ...disk, bootOrder: disk.bootOrder + by }
}

function templateOf(disks: readonly Disk[], volumes: readonly Volume[]): Pick<RescuePatch, 'template'> {
  return { template: { spec: { domain: { devices: { disks } }, volumes } } }
}
