import { BuildAbortException } from '../../common/errors/guest.ts'
import type { GuestSpec } from '../driver.ts'

const DISK_BUSES: Readonly<Record<string, string>> = {
  virtio: 'virtio',
  scsi: 'scsi',
  sata: 'sata',
  usb: 'usb',
  // q35 has no IDE; SATA is what its guests' drivers find in that place.
  ide: 'sata',
}

const INTERFACE_MODELS = new Set(['virtio', 'e1000', 'e1000e', 'igb', 'ne2k_pci', 'pcnet', 'rtl8139'])

interface Architecture {
  /** The same in Kubernetes' words. */
  readonly kube: string
  readonly machine: string
  readonly machines: RegExp
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x86_64: { kube: 'amd64', machine: 'q35', machines: /^(pc-)?q35/ },
  aarch64: { kube: 'arm64', machine: 'virt', machines: /^virt/ },
  s390x: { kube: 's390x', machine: 's390-ccw-virtio', machines: /^s390-ccw-virtio/ },
}

function abort(guest: GuestSpec, reason: string): BuildAbortException {
  return new BuildAbortException({ instance: guest.uid, reason })
}

/** `x86_64` to `amd64`; what we do not know stays as it is and is KubeVirt's to refuse. */
export function toKubeArchitecture(architecture: string): string {
  return ARCHITECTURES[architecture]?.kube ?? architecture
}

/** `amd64` to `x86_64`. */
export function toNovaArchitecture(kube: string): string {
  const found = Object.entries(ARCHITECTURES).find(([, architecture]) => architecture.kube === kube)
  return found?.[0] ?? kube
}

/** hw_disk_bus */
export function diskBusOf(guest: GuestSpec): string {
  const wanted = guest.properties.hw_disk_bus ?? 'virtio'
  const bus = DISK_BUSES[wanted]
  if (bus === undefined) throw abort(guest, `KubeVirt has no disk bus '${wanted}' (hw_disk_bus)`)
  return bus
}

/** hw_vif_model; undefined leaves it to KubeVirt (virtio). */
export function interfaceModelOf(guest: GuestSpec): string | undefined {
  const model = guest.properties.hw_vif_model
  if (model === undefined || INTERFACE_MODELS.has(model)) return model
  throw abort(guest, `KubeVirt has no network interface model '${model}' (hw_vif_model)`)
}

/** hw_machine_type; always written, so that a change of the cluster's default changes no guest. */
export function machineOf(guest: GuestSpec, architecture: string): string {
  const known = ARCHITECTURES[architecture]
  if (!known) throw abort(guest, `KubeVirt does not know the architecture '${architecture}'`)
  const type = guest.properties.hw_machine_type ?? known.machine
  if (known.machines.test(type)) return type
  throw abort(guest, `KubeVirt has no machine type '${type}' for ${architecture} (hw_machine_type)`)
}

/** hw_firmware_type. An empty `efi` would mean secure boot, which needs SMM. */
export function firmwareOf(guest: GuestSpec): { readonly bootloader?: object } {
  switch (guest.properties.hw_firmware_type) {
    case 'uefi':
      return { bootloader: { efi: { secureBoot: false } } }
    case 'bios':
      return { bootloader: { bios: {} } }
    case undefined:
      return {}
  }
}
