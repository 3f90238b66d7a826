import { describe, expect, it } from 'vitest'
import { BuildAbortException } from '../../common/errors/guest.ts'
import type { GuestSpec } from '../driver.ts'
import { type Placement, toUserDataSecret, toVirtualMachine } from './to-virtual-machine.ts'

const UID = '0b0e6c4a-6f0e-4c1c-9a53-6a2f3a0c7d11'

const PLACEMENT: Placement = {
  host: 'node-1.example.org',
  architecture: 'x86_64',
  requestId: 'req-1',
  terminationGracePeriodSeconds: 3600,
}

function makeGuest(change: Partial<GuestSpec> = {}): GuestSpec {
  return {
    namespace: 'demo',
    name: 'web',
    uid: UID,
    hostname: 'web',
    vcpus: 2,
    memoryMb: 512,
    diskGb: 0,
    disk: { kind: 'containerDisk', image: 'quay.io/cirros' },
    properties: {},
    ...change,
  }
}

/** The part of the manifest that a row of a table is about. */
function specOf(change: Partial<GuestSpec>, placement: Partial<Placement> = {}) {
  const vm = toVirtualMachine(makeGuest(change), { ...PLACEMENT, ...placement })
  const { domain, volumes, architecture } = vm.spec.template.spec
  return {
    vm,
    domain,
    architecture,
    volumes,
    disks: domain.devices.disks,
    nic: domain.devices.interfaces?.[0],
  }
}

describe('toVirtualMachine', () => {
  it('makes the whole manifest of a plain guest', () => {
    const labels = {
      'app.kubernetes.io/managed-by': 'kilonova',
      'compute.kilonova.dev/instance-uid': UID,
      'compute.kilonova.dev/host': 'node-1.example.org',
    }
    const annotations = { 'compute.kilonova.dev/request-id': 'req-1' }

    expect(toVirtualMachine(makeGuest(), PLACEMENT)).toEqual({
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      metadata: {
        namespace: 'demo',
        name: 'web',
        labels,
        annotations,
        ownerReferences: [
          {
            apiVersion: 'compute.kilonova.dev/v1alpha1',
            kind: 'Instance',
            name: 'web',
            uid: UID,
            controller: true,
            blockOwnerDeletion: false,
          },
        ],
      },
      spec: {
        runStrategy: 'Manual',
        template: {
          metadata: { labels, annotations },
          spec: {
            architecture: 'amd64',
            hostname: 'web',
            evictionStrategy: 'External',
            terminationGracePeriodSeconds: 3600,
            affinity: {
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: {
                  nodeSelectorTerms: [
                    {
                      matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1.example.org'] }],
                    },
                  ],
                },
              },
            },
            domain: {
              cpu: { sockets: 2, cores: 1, threads: 1 },
              memory: { guest: '512Mi' },
              machine: { type: 'q35' },
              firmware: { uuid: UID, serial: UID },
              devices: {
                disks: [
                  { name: 'root', disk: { bus: 'virtio' }, bootOrder: 1 },
                  { name: 'cloud-init', disk: { bus: 'virtio' } },
                ],
                interfaces: [{ name: 'default', masquerade: {} }],
              },
            },
            networks: [{ name: 'default', pod: {} }],
            volumes: [
              { name: 'root', containerDisk: { image: 'quay.io/cirros' } },
              { name: 'cloud-init', cloudInitNoCloud: { userData: '#cloud-config\n' } },
            ],
          },
        },
      },
    })
  })

  it.each([
    {
      disk: { kind: 'persistentVolumeClaim', claimName: 'golden' } as const,
      diskGb: 10,
      root: { persistentVolumeClaim: { claimName: 'golden' } },
      templates: undefined,
    },
    {
      disk: { kind: 'dataVolume', source: { http: { url: 'http://x/y.img' } } } as const,
      diskGb: 10,
      root: { dataVolume: { name: 'web-root-0b0e6c4a' } },
      templates: [
        {
          metadata: { name: 'web-root-0b0e6c4a' },
          spec: {
            source: { http: { url: 'http://x/y.img' } },
            storage: { resources: { requests: { storage: '10Gi' } } },
          },
        },
      ],
    },
    {
      disk: {
        kind: 'dataVolume',
        source: { pvc: { namespace: 'images', name: 'golden' } },
        storageClassName: 'fast',
      } as const,
      diskGb: 0,
      root: { dataVolume: { name: 'web-root-0b0e6c4a' } },
      templates: [
        {
          metadata: { name: 'web-root-0b0e6c4a' },
          spec: {
            source: { pvc: { namespace: 'images', name: 'golden' } },
            storage: { storageClassName: 'fast' },
          },
        },
      ],
    },
  ])('boots from $disk of $diskGb GiB', ({ disk, diskGb, root, templates }) => {
    const { vm, volumes } = specOf({ disk, diskGb })

    expect(volumes?.[0]).toEqual({ name: 'root', ...root })
    expect(vm.spec.dataVolumeTemplates).toEqual(templates)
  })

  it.each([
    { hw_disk_bus: 'virtio', bus: 'virtio' },
    { hw_disk_bus: 'scsi', bus: 'scsi' },
    { hw_disk_bus: 'sata', bus: 'sata' },
    { hw_disk_bus: 'usb', bus: 'usb' },
    { hw_disk_bus: 'ide', bus: 'sata' },
  ])('takes hw_disk_bus $hw_disk_bus for bus $bus', ({ hw_disk_bus, bus }) => {
    expect(specOf({ properties: { hw_disk_bus } }).disks?.[0]?.disk).toEqual({ bus })
  })

  it('takes hw_vif_model for the model', () => {
    expect(specOf({ properties: { hw_vif_model: 'e1000e' } }).nic?.model).toBe('e1000e')
  })

  it.each([
    { properties: { hw_firmware_type: 'uefi' } as const, bootloader: { efi: { secureBoot: false } } },
    { properties: { hw_firmware_type: 'bios' } as const, bootloader: { bios: {} } },
    { properties: {}, bootloader: undefined },
  ])('boots $properties with $bootloader', ({ properties, bootloader }) => {
    expect(specOf({ properties }).domain.firmware?.bootloader).toEqual(bootloader)
  })

  it.each([
    { host: 'x86_64', properties: {}, architecture: 'amd64', machine: 'q35' },
    { host: 'aarch64', properties: {}, architecture: 'arm64', machine: 'virt' },
    { host: 's390x', properties: {}, architecture: 's390x', machine: 's390-ccw-virtio' },
    {
      host: 'x86_64',
      properties: { hw_architecture: 'aarch64' } as const,
      architecture: 'arm64',
      machine: 'virt',
    },
    {
      host: 'x86_64',
      properties: { hw_machine_type: 'pc-q35-rhel9.6.0' },
      architecture: 'amd64',
      machine: 'pc-q35-rhel9.6.0',
    },
  ])('is $architecture, $machine on $host with $properties', (row) => {
    const { architecture, domain } = specOf({ properties: row.properties }, { architecture: row.host })

    expect(architecture).toBe(row.architecture)
    expect(domain.machine).toEqual({ type: row.machine })
  })

  it.each([
    { want: 'a disk bus', change: { properties: { hw_disk_bus: 'fdc' } } },
    { want: 'a model', change: { properties: { hw_vif_model: 'vmxnet3' } } },
    { want: 'a machine', change: { properties: { hw_machine_type: 'pc' } } },
    {
      want: 'a size',
      change: { disk: { kind: 'dataVolume', source: { http: { url: 'http://x' } } } as const },
    },
  ])('refuses what KubeVirt has not got: $want', ({ change }) => {
    expect(() => specOf(change)).toThrow(BuildAbortException)
  })

  it.each([
    {
      name: 'nothing',
      change: {},
      volume: { cloudInitNoCloud: { userData: '#cloud-config\n' } },
      secret: undefined,
    },
    {
      name: 'its own user data',
      change: { userData: 'IyEvYmluL3NoCg==' },
      volume: { cloudInitNoCloud: { secretRef: { name: `kilonova-user-data-${UID}-node-1.example.org` } } },
      secret: { userdata: 'IyEvYmluL3NoCg==' },
    },
    {
      name: "the user's Secret",
      change: { userDataSecret: 'mine' },
      volume: { cloudInitNoCloud: { secretRef: { name: 'mine' } } },
      secret: undefined,
    },
    {
      name: "the user's Secret on a config drive",
      change: { userDataSecret: 'mine', properties: { img_config_drive: 'mandatory' } as const },
      volume: { cloudInitConfigDrive: { secretRef: { name: 'mine' } } },
      secret: undefined,
    },
    {
      name: 'nothing, where a config drive is optional',
      change: { properties: { img_config_drive: 'optional' } as const },
      volume: { cloudInitNoCloud: { userData: '#cloud-config\n' } },
      secret: undefined,
    },
  ])('gives cloud-init $name', ({ change, volume, secret }) => {
    expect(specOf(change).volumes?.[1]).toEqual({ name: 'cloud-init', ...volume })
    expect(toUserDataSecret(makeGuest(change), PLACEMENT.host)?.data).toEqual(secret)
  })

  it('labels a host whose name is too long for a label with a value of its own', () => {
    const label = (host: string) =>
      toVirtualMachine(makeGuest(), { ...PLACEMENT, host }).metadata.labels?.['compute.kilonova.dev/host']
    const long = `${'a'.repeat(70)}.example.org`

    expect(label(long)).toMatch(/^a{52}-[0-9a-f]{10}$/)
    expect(label(long)).not.toBe(label(`${'a'.repeat(71)}.example.org`))
  })
})
