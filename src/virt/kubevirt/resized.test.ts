import { describe, expect, it } from 'vitest'
import type { GuestSpec } from '../driver.ts'
import { growthOf, resized } from './resized.ts'
import type { VirtualMachine } from './resources.ts'
import { toVirtualMachine } from './to-virtual-machine.ts'

const UID = '0b0e6c4a-6f0e-4c1c-9a53-6a2f3a0c7d11'
const GUEST: GuestSpec = {
  namespace: 'default',
  name: 'web',
  uid: UID,
  hostname: 'web',
  vcpus: 1,
  memoryMb: 512,
  diskGb: 10,
  disk: { kind: 'containerDisk', image: 'cirros' },
  properties: {},
}
const ON_DISK: GuestSpec = {
  ...GUEST,
  disk: { kind: 'dataVolume', source: { http: { url: 'http://x/y' } }, storageClassName: 'fast' },
}

function vmOf(guest: GuestSpec, host = 'node-1'): VirtualMachine {
  const rest = { architecture: 'x86_64', requestId: 'req-1', terminationGracePeriodSeconds: 3600 }
  return toVirtualMachine(guest, { host, ...rest })
}

/** The same with its members in another order, as an API server may give it back. */
function reordered<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toReversed())
      : member,
  )
}

describe('resized', () => {
  it.each([GUEST, ON_DISK, { ...GUEST, userData: 'eA==' }])('changes nothing that is so already', (guest) => {
    expect(resized(vmOf(guest), guest, 'node-1')).toBeUndefined()
    expect(resized(reordered(vmOf(guest)), guest, 'node-1')).toBeUndefined()
  })

  it('reads memory in whatever unit it was written', () => {
    const vm = vmOf({ ...GUEST, memoryMb: 1024 })
    const { template } = vm.spec
    const domain = { ...template.spec.domain, memory: { guest: '1Gi' } }
    const inGi = {
      ...vm,
      spec: { ...vm.spec, template: { ...template, spec: { ...template.spec, domain } } },
    }

    expect(resized(inGi, { ...GUEST, memoryMb: 1024 }, 'node-1')).toBeUndefined()
  })

  it.each([{ vcpus: 2 }, { memoryMb: 1024 }])('gives the new size of %o', (change) => {
    const { vcpus, memoryMb } = { ...GUEST, ...change }

    expect(resized(vmOf(GUEST), { ...GUEST, ...change }, 'node-1')).toEqual({
      spec: {
        template: {
          spec: {
            domain: { cpu: { sockets: vcpus }, memory: { guest: `${memoryMb}Mi` } },
            volumes: vmOf(GUEST).spec.template.spec.volumes,
          },
        },
      },
    })
  })

  it("takes the new host's own Secret with the user data, and leaves the disks alone", () => {
    const guest: GuestSpec = { ...GUEST, userData: 'eA==', properties: { img_config_drive: 'mandatory' } }
    const secretRef = { name: `kilonova-user-data-${UID}-node-2` }

    expect(resized(vmOf(guest), guest, 'node-2')).toMatchObject({
      spec: {
        template: {
          spec: {
            volumes: [
              { name: 'root', containerDisk: { image: 'cirros' } },
              { name: 'cloud-init', cloudInitConfigDrive: { secretRef } },
            ],
          },
        },
      },
    })
  })

  it("stays with the user's own Secret", () => {
    const guest: GuestSpec = { ...GUEST, userDataSecret: 'mine' }

    expect(resized(vmOf(guest), guest, 'node-2')).toBeUndefined()
  })

  it('makes a disk of its own larger, and keeps the rest of its template', () => {
    const [template] = vmOf(ON_DISK).spec.dataVolumeTemplates ?? []

    expect(resized(vmOf(ON_DISK), { ...ON_DISK, diskGb: 20 }, 'node-1')).toMatchObject({
      spec: {
        dataVolumeTemplates: [
          {
            metadata: template?.metadata,
            spec: {
              source: { http: { url: 'http://x/y' } },
              storage: { storageClassName: 'fast', resources: { requests: { storage: '20Gi' } } },
            },
          },
        ],
      },
    })
  })
})

describe('growthOf', () => {
  it.each([
    {
      what: 'a larger size',
      guest: ON_DISK,
      diskGb: 20,
      want: { claim: `web-root-${UID.slice(0, 8)}`, storage: '20Gi' },
    },
    { what: 'the same size', guest: ON_DISK, diskGb: 10, want: undefined },
    { what: 'a smaller size', guest: ON_DISK, diskGb: 5, want: undefined },
    { what: 'a disk that is the image', guest: GUEST, diskGb: 20, want: undefined },
  ])('for $what', ({ guest, diskGb, want }) => {
    expect(growthOf(vmOf(guest), { ...guest, diskGb })).toEqual(want)
  })
})
