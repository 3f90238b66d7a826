import { describe, expect, it } from 'vitest'
import { makeHost, makeRequest } from '../../testing/builders.ts'
import { AvailabilityZoneFilter } from './availability-zone-filter.ts'
import { ComputeFilter } from './compute-filter.ts'
import { isHostFilter, PASS, reject } from './filter.ts'
import { ImagePropertiesFilter } from './image-properties-filter.ts'
import {
  DEFAULT_FILTER_SETTINGS,
  DEFAULT_FILTERS,
  FILTERS,
  makeFilters,
  REQUIRED_FILTERS,
} from './registry.ts'
import { RequestedHostFilter } from './requested-host-filter.ts'
import { ResourceFilter } from './resource-filter.ts'

describe('ComputeFilter', () => {
  it.each([
    { name: 'passes a host that is enabled and up', host: makeHost(), want: PASS },
    {
      name: 'rejects a disabled host, saying why it is',
      host: makeHost({ enabled: false, disabledReason: 'new disks' }),
      want: reject('disabled: new disks'),
    },
    {
      name: 'rejects a disabled host of which nobody said why',
      host: makeHost({ enabled: false }),
      want: reject('disabled: no reason given'),
    },
    {
      name: 'rejects a host that is down',
      host: makeHost({ up: false, downReason: 'forced down' }),
      want: reject('down: forced down'),
    },
    {
      name: 'rejects a silent host',
      host: makeHost({ up: false }),
      want: reject('down: the agent does not report'),
    },
    {
      name: 'says of a host that is both that it is disabled',
      host: makeHost({ enabled: false, up: false }),
      want: reject('disabled: no reason given'),
    },
  ])('$name', ({ host, want }) => {
    expect(new ComputeFilter().check(host)).toEqual(want)
  })
})

describe('AvailabilityZoneFilter', () => {
  it.each([
    { name: 'passes any host when no zone is asked for', zone: undefined, want: PASS },
    { name: 'passes a host of the zone', zone: 'west', want: PASS },
    { name: 'rejects a host of another zone', zone: 'east', want: reject('in zone west, not east') },
  ])('$name', ({ zone, want }) => {
    const filter = new AvailabilityZoneFilter()
    expect(
      filter.check(makeHost({ availabilityZone: 'west' }), makeRequest({ availabilityZone: zone })),
    ).toEqual(want)
  })

  it('finds a host without a zone in nova', () => {
    expect(new AvailabilityZoneFilter().check(makeHost(), makeRequest({ availabilityZone: 'nova' }))).toEqual(
      PASS,
    )
  })
})

describe('RequestedHostFilter', () => {
  it('lets every host through when none is asked for', () => {
    expect(new RequestedHostFilter().limit(makeRequest())).toBeUndefined()
  })

  it('lets through only the host that is asked for', () => {
    expect(new RequestedHostFilter().limit(makeRequest({ requestedHost: 'node-10' }))).toEqual({
      only: new Set(['node-10']),
      reason: 'not node-10, which was asked for',
    })
  })
})

describe('ImagePropertiesFilter', () => {
  it.each([
    { name: 'passes an image that asks for nothing', properties: {}, host: {}, want: PASS },
    { name: 'passes the architecture', properties: { hw_architecture: 'x86_64' }, host: {}, want: PASS },
    {
      name: 'rejects another architecture',
      properties: { hw_architecture: 'aarch64' },
      host: {},
      want: reject('of architecture x86_64, the image needs aarch64'),
    },
    { name: 'passes the hypervisor', properties: { img_hv_type: 'kvm' }, host: {}, want: PASS },
    {
      name: 'rejects another hypervisor',
      properties: { img_hv_type: 'qemu' },
      host: {},
      want: reject('with hypervisor kvm, the image needs qemu'),
    },
    {
      name: 'passes a host that does not tell what it is',
      properties: { hw_architecture: 'aarch64', img_hv_type: 'qemu' },
      host: { architecture: undefined, hypervisorType: undefined },
      want: PASS,
    },
    { name: 'passes hvm everywhere', properties: { hw_vm_mode: 'hvm' }, host: {}, want: PASS },
  ] as const)('$name', ({ properties, host, want }) => {
    expect(new ImagePropertiesFilter().check(makeHost(host), makeRequest({ properties }))).toEqual(want)
  })
})

describe('ResourceFilter', () => {
  const inventory = { vcpus: 4, memoryMb: 4096, diskGb: 40 }

  it.each([
    { name: 'passes what just fits', host: {}, flavor: { vcpus: 4, memoryMb: 4096, diskGb: 40 }, want: PASS },
    {
      name: 'rejects one vCPU too many',
      host: {},
      flavor: { vcpus: 5 },
      want: reject('without room: VCPU 5 asked, 4 free'),
    },
    {
      name: 'rejects one MiB too many',
      host: {},
      flavor: { memoryMb: 4097 },
      want: reject('without room: MEMORY_MB 4097 asked, 4096 free'),
    },
    {
      name: 'rejects one GiB too many',
      host: {},
      flavor: { diskGb: 41 },
      want: reject('without room: DISK_GB 41 asked, 40 free'),
    },
    {
      name: 'names all that is short',
      host: { used: { vcpus: 4, memoryMb: 4096, diskGb: 40 } },
      flavor: { vcpus: 1, memoryMb: 512, diskGb: 1 },
      want: reject(
        'without room: VCPU 1 asked, 0 free; MEMORY_MB 512 asked, 0 free; DISK_GB 1 asked, 0 free',
      ),
    },
    {
      name: 'passes a flavor without a disk on a host without room for one',
      host: { used: { vcpus: 0, memoryMb: 0, diskGb: 40 } },
      flavor: { diskGb: 0 },
      want: PASS,
    },
    {
      name: 'counts a vCPU as often as the ratio says',
      host: { ratios: { cpu: 4, memory: 1, disk: 1 } },
      flavor: { vcpus: 16 },
      want: PASS,
    },
    {
      name: 'takes what is reserved off before the ratio, as placement does',
      host: { ratios: { cpu: 1, memory: 2, disk: 1 }, reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 } },
      flavor: { memoryMb: 7169 },
      want: reject('without room: MEMORY_MB 7169 asked, 7168 free'),
    },
    {
      name: 'rounds down what a ratio leaves',
      host: { ratios: { cpu: 1.3, memory: 1, disk: 1 } },
      flavor: { vcpus: 6 },
      want: reject('without room: VCPU 6 asked, 5 free'),
    },
    {
      name: 'finds nothing free on a host that is overbooked',
      host: { used: { vcpus: 9, memoryMb: 0, diskGb: 0 } },
      flavor: { vcpus: 1 },
      want: reject('without room: VCPU 1 asked, 0 free'),
    },
    {
      name: 'finds nothing free where more is reserved than there is',
      host: { reserved: { vcpus: 9, memoryMb: 0, diskGb: 0 } },
      flavor: { vcpus: 1 },
      want: reject('without room: VCPU 1 asked, 0 free'),
    },
  ])('$name', ({ host, flavor, want }) => {
    expect(new ResourceFilter().check(makeHost({ inventory, ...host }), makeRequest({ flavor }))).toEqual(
      want,
    )
  })
})

it('every filter is registered under its own name, and every default is registered', () => {
  for (const [name, make] of Object.entries(FILTERS)) expect(make(DEFAULT_FILTER_SETTINGS).name).toBe(name)
  for (const name of [...DEFAULT_FILTERS, ...REQUIRED_FILTERS]) expect(FILTERS).toHaveProperty(name)
})

describe('the filters that run', () => {
  const names = (chosen: readonly string[]): string[] => makeFilters(chosen).map(({ name }) => name)

  it.each([
    {
      what: 'are those chosen, in their order, after the one that looks at earlier attempts',
      chosen: DEFAULT_FILTERS,
      want: ['RetryFilter', ...DEFAULT_FILTERS],
    },
    {
      what: 'are also those that no choice takes away, after the chosen',
      chosen: ['ComputeFilter'],
      want: ['RetryFilter', 'ComputeFilter', 'RequestedHostFilter', 'ResourceFilter'],
    },
    {
      what: 'run where they are listed, if they are',
      chosen: ['ResourceFilter', 'ComputeFilter'],
      want: ['RetryFilter', 'ResourceFilter', 'ComputeFilter', 'RequestedHostFilter'],
    },
  ])('$what', ({ chosen, want }) => {
    expect(names(chosen)).toEqual(want)
  })

  it('leave no host oversold where none is chosen', () => {
    const host = makeHost({ inventory: { vcpus: 1, memoryMb: 512, diskGb: 1 } })
    const request = makeRequest({ flavor: { vcpus: 2 } })
    const passes = makeFilters([]).every(
      (filter) => !isHostFilter(filter) || filter.check(host, request).pass,
    )
    expect(passes).toBe(false)
  })
})
