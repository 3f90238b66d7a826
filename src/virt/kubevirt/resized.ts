import { isDeepStrictEqual } from 'node:util'
import type { GuestSpec } from '../driver.ts'
import { parseQuantity } from './quantity.ts'
import type { DataVolumeTemplate, VirtualMachine } from './resources.ts'
import { CLOUD_INIT, cloudInitVolumeOf, ROOT } from './to-virtual-machine.ts'

/** A disk's claim and the size it grows to, as a quantity. */
export interface Growth {
  readonly claim: string
  readonly storage: string
}

/**
 * The merge patch that gives a VM the guest's size, and this host's own Secret with its user data; undefined when it has
 * them. Everything else stays as it is.
 */
export function resized(vm: VirtualMachine, guest: GuestSpec, host: string): object | undefined {
  const { domain, volumes = [] } = vm.spec.template.spec
  const cpu = { sockets: guest.vcpus }
  const memory = { guest: `${guest.memoryMb}Mi` }
  const cloudInit = cloudInitVolumeOf(guest, host)
  const newVolumes = volumes.map((volume) => (volume.name === CLOUD_INIT ? cloudInit : volume))
  const growth = growthOf(vm, guest)
  const isSo =
    growth === undefined &&
    domain.cpu?.sockets === guest.vcpus &&
    parseQuantity(domain.memory?.guest ?? '') === parseQuantity(memory.guest) &&
    isDeepStrictEqual(newVolumes, volumes)
  if (isSo) return undefined
  const dataVolumeTemplates = growth && vm.spec.dataVolumeTemplates?.map((each) => grown(each, growth))
  return {
    spec: {
      ...(dataVolumeTemplates && { dataVolumeTemplates }),
      template: { spec: { domain: { cpu, memory }, volumes: newVolumes } },
    },
  }
}

/** How the root disk grows to the guest's size; undefined when it is no DataVolume, or large enough. */
export function growthOf(vm: VirtualMachine, { diskGb }: GuestSpec): Growth | undefined {
  const claim = vm.spec.template.spec.volumes?.find(({ name }) => name === ROOT)?.dataVolume?.name
  const template = vm.spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === claim)
  if (claim === undefined || !template) return undefined
  const present = parseQuantity(template.spec.storage.resources?.requests.storage ?? '') ?? 0
  return diskGb * 2 ** 30 > present ? { claim, storage: `${diskGb}Gi` } : undefined
}

function grown(template: DataVolumeTemplate, { claim, storage }: Growth): DataVolumeTemplate {
  if (template.metadata.name !== claim) return template
  const resources = { requests: { storage } }
  return { ...template, spec: { ...template.spec, storage: { ...template.spec.storage, resources } } }
}
