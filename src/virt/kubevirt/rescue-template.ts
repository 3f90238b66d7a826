import { NotSupported } from '../../common/errors.ts'
import type { DiskSource } from '../driver.ts'
import type { Disk, VirtualMachineInstanceSpec, Volume } from './resources.ts'
import { ROOT } from './to-virtual-machine.ts'

const RESCUE = 'rescue'

/** What of a template changes with a rescue disk: a merge patch, whose lists are whole. */
export interface RescuePatch {
  readonly domain: { readonly devices: { readonly disks: readonly Disk[] } }
  readonly volumes: readonly Volume[]
}

/** The rescue disk in a template or a guest, if any. */
export function rescueVolumeOf(spec: VirtualMachineInstanceSpec): Volume | undefined {
  return spec.volumes?.find(({ name }) => name === RESCUE)
}

/** With the rescue disk first and every other one place later. What other one was there goes. */
export function withRescueDisk(spec: VirtualMachineInstanceSpec, volume: Volume): RescuePatch {
  const { domain, volumes } = withoutRescueDisk(spec)
  const { disks } = domain.devices
  const bus = disks.find(({ name }) => name === ROOT)?.disk.bus ?? 'virtio'
  const rescue: Disk = { name: RESCUE, disk: { bus }, bootOrder: 1 }
  return patchOf([rescue, ...disks.map((disk) => moved(disk, 1))], [volume, ...volumes])
}

export function withoutRescueDisk(spec: VirtualMachineInstanceSpec): RescuePatch {
  const { disks = [] } = spec.domain.devices
  const volumes = spec.volumes ?? []
  if (!rescueVolumeOf(spec)) return patchOf(disks, volumes)
  return patchOf(
    disks.filter(({ name }) => name !== RESCUE).map((disk) => moved(disk, -1)),
    volumes.filter(({ name }) => name !== RESCUE),
  )
}

/** The volume to rescue that guest from. */
export function toRescueVolume(disk: DiskSource, spec: VirtualMachineInstanceSpec): Volume {
  switch (disk.kind) {
    case 'containerDisk':
      return { name: RESCUE, containerDisk: { image: disk.image } }
    case 'persistentVolumeClaim':
      return { name: RESCUE, persistentVolumeClaim: { claimName: unusedClaim(disk.claimName, spec) } }
    case 'dataVolume':
      throw notSupported('the image to rescue from has to be imported or copied to a disk first')
  }
}

function unusedClaim(claimName: string, spec: VirtualMachineInstanceSpec): string {
  const isInUse = spec.volumes?.some(
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

function patchOf(disks: readonly Disk[], volumes: readonly Volume[]): RescuePatch {
  return { domain: { devices: { disks } }, volumes }
}
