import { describe, expect, it } from 'vitest'
import type { BuildRequest } from '../../objects/build-request.ts'
import { makeHost, makeRequest } from '../../testing/builders.ts'
import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import type { GroupState } from '../select-options.ts'
import { matchesSpec } from './extra-specs-ops.ts'
import { isHostFilter, type Limit, PASS, reject, type Verdict } from './filter.ts'
import { DEFAULT_FILTER_SETTINGS, FILTERS, type FilterSettings } from './registry.ts'

function judge(
  name: string,
  host: Partial<HostState>,
  request: Partial<RequestSpec>,
  settings: Partial<FilterSettings> = {},
): Verdict | undefined {
  const filter = FILTERS[name]?.({ ...DEFAULT_FILTER_SETTINGS, ...settings })
  return filter && isHostFilter(filter)
    ? filter.check(makeHost(host), { ...makeRequest(), ...request })
    : undefined
}

function limitOf(name: string, hints: BuildRequest['hints'], options: object = {}): Limit | undefined {
  const filter = FILTERS[name]?.(DEFAULT_FILTER_SETTINGS)
  if (!filter || isHostFilter(filter)) throw new Error(`${name} does not go by names`)
  return filter.limit(makeRequest({ hints }), {
    ignoreHosts: [],
    preferHosts: [],
    maxAlternates: 0,
    ...options,
  })
}

const aggregates = (...all: Record<string, string>[]): Partial<HostState> => ({
  aggregates: all.map((metadata, n) => ({ name: `aggregate-${n}`, metadata })),
})
const withSpecs = (extraSpecs: Record<string, string>): Partial<RequestSpec> => ({ extraSpecs })

describe('an extra spec', () => {
  it.each([
    ['kvm', 'kvm', true],
    ['kvm', 'qemu', false],
    ['5', '= 4', true],
    ['4', '= 5', false],
    ['4', '== 4.0', true],
    ['4', '!= 4', false],
    ['4', '>= 4', true],
    ['3', '>= 4', false],
    ['4', '<= 4', true],
    ['many', '>= 4', false],
    ['b', 's== b', true],
    ['b', 's!= b', false],
    ['b', 's< c', true],
    ['b', 's<= b', true],
    ['b', 's> a', true],
    ['b', 's>= c', false],
    ['aes avx2', '<in> avx2', true],
    ['aes avx2', '<in> sse', false],
    ['aes avx2', '<all-in> aes avx2', true],
    ['aes avx2', '<all-in> aes sse', false],
    ['qemu', '<or> kvm <or> qemu', true],
    ['xen', '<or> kvm <or> qemu', false],
    ['constructor', 'constructor', true],
    ['4', '!=', false],
    ['a', 's!=', false],
    ['a', '<in>', false],
    ['a', '<all-in>', false],
    ['<or>', '<or> kvm <or> qemu', false],
  ])('a host with %j is what %j asks for: %j', (value, wanted, is) => {
    expect(matchesSpec(value, wanted)).toBe(is)
  })
})

describe('filters that look at a host', () => {
  const cases: readonly (readonly [
    filter: string,
    what: string,
    host: Partial<HostState>,
    request: Partial<RequestSpec>,
    want: Verdict,
    settings?: Partial<FilterSettings>,
  ])[] = [
    [
      'ImagePropertiesFilter',
      'takes the architecture it is told where the image names none',
      {},
      {},
      reject('of architecture x86_64, the image needs aarch64'),
      { imagePropertiesDefaultArchitecture: 'aarch64' },
    ],
    [
      'ImagePropertiesFilter',
      'takes the architecture that the image names before that',
      {},
      { image: { properties: { hw_architecture: 'x86_64' } } },
      PASS,
      { imagePropertiesDefaultArchitecture: 'aarch64' },
    ],

    ['AllHostsFilter', 'lets any through', { enabled: false }, {}, PASS],

    ['ComputeCapabilitiesFilter', 'lets any through that nothing is asked of', {}, {}, PASS],
    [
      'ComputeCapabilitiesFilter',
      'knows the hypervisor',
      {},
      withSpecs({ 'capabilities:hypervisor_type': 'kvm' }),
      PASS,
    ],
    [
      'ComputeCapabilitiesFilter',
      'takes out another architecture, asked without a scope',
      {},
      withSpecs({ cpu_arch: 's== aarch64' }),
      reject('with cpu_arch x86_64, the flavor needs s== aarch64'),
    ],
    [
      'ComputeCapabilitiesFilter',
      'looks at the labels of the Node',
      { labels: { 'example.com/disks': '4' } },
      withSpecs({ 'capabilities:example.com/disks': '>= 8' }),
      reject('with example.com/disks 4, the flavor needs >= 8'),
    ],
    [
      'ComputeCapabilitiesFilter',
      'takes out what does not say',
      {},
      withSpecs({ 'capabilities:ssd': 'true' }),
      reject('without the capability ssd'),
    ],
    [
      'ComputeCapabilitiesFilter',
      'takes out what does not say, asked with more scopes',
      {},
      withSpecs({ 'capabilities:cpu_info:cores': '4' }),
      reject('without the capability cpu_info:cores'),
    ],
    [
      'ComputeCapabilitiesFilter',
      'leaves to others what it does not know, asked without a scope',
      {},
      withSpecs({ ssd: 'true', constructor: 'true' }),
      PASS,
    ],
    [
      'ComputeCapabilitiesFilter',
      'looks at a label that is there, asked without a scope',
      { labels: { ssd: 'false' } },
      withSpecs({ ssd: 'true' }),
      reject('with ssd false, the flavor needs true'),
    ],
    [
      'ComputeCapabilitiesFilter',
      'knows the address',
      { hostIp: '10.0.0.1' },
      withSpecs({ 'capabilities:host_ip': '<in> 10.0.' }),
      PASS,
    ],
    [
      'ComputeCapabilitiesFilter',
      'leaves other scopes to others',
      {},
      withSpecs({ 'trait:X': 'required' }),
      PASS,
    ],

    [
      'TraitsFilter',
      'lets a host with the trait through',
      { traits: ['CUSTOM_A'] },
      withSpecs({ 'trait:CUSTOM_A': 'required' }),
      PASS,
    ],
    [
      'TraitsFilter',
      'takes out one without',
      {},
      withSpecs({ 'trait:CUSTOM_A': 'required' }),
      reject('without the trait CUSTOM_A'),
    ],
    [
      'TraitsFilter',
      'takes out one with a forbidden trait',
      { traits: ['CUSTOM_A'] },
      withSpecs({ 'trait:CUSTOM_A': 'forbidden' }),
      reject('with the trait CUSTOM_A'),
    ],
    [
      'TraitsFilter',
      'takes out one without what the image needs',
      { traits: ['CUSTOM_A'] },
      { image: { properties: { traits_required: ['CUSTOM_A', 'CUSTOM_B'] } } },
      reject('without the trait CUSTOM_B'),
    ],

    ['AggregateInstanceExtraSpecsFilter', 'lets any through that nothing is asked of', {}, {}, PASS],
    [
      'AggregateInstanceExtraSpecsFilter',
      'lets through where one of several values matches',
      aggregates({ tier: 'silver, gold' }),
      withSpecs({ 'aggregate_instance_extra_specs:tier': 'gold' }),
      PASS,
    ],
    [
      'AggregateInstanceExtraSpecsFilter',
      'takes out where no aggregate says it',
      aggregates({ other: 'gold' }),
      withSpecs({ tier: 'gold' }),
      reject('in no aggregate with tier gold'),
    ],
    [
      'AggregateInstanceExtraSpecsFilter',
      'takes what follows its scope for the key',
      aggregates({ 'disk:tier': 'gold' }),
      withSpecs({ 'aggregate_instance_extra_specs:disk:tier': 'silver' }),
      reject('in no aggregate with disk:tier silver'),
    ],
    [
      'AggregateInstanceExtraSpecsFilter',
      'leaves other scopes to others',
      {},
      withSpecs({ 'trait:X': 'required' }),
      PASS,
    ],

    [
      'AggregateImagePropertiesIsolation',
      'lets an image through that does not have the property',
      aggregates({ hw_machine_type: 'q35' }),
      {},
      PASS,
    ],
    [
      'AggregateImagePropertiesIsolation',
      'lets one of the values through',
      aggregates({ hw_machine_type: 'pc, q35' }),
      { image: { properties: { hw_machine_type: 'q35' } } },
      PASS,
    ],
    [
      'AggregateImagePropertiesIsolation',
      'takes out another value',
      aggregates({ hw_machine_type: 'pc' }),
      { image: { properties: { hw_machine_type: 'q35' } } },
      reject('in an aggregate for images with hw_machine_type pc'),
    ],

    [
      'AggregateMultiTenancyIsolation',
      'lets anybody on hosts for all',
      aggregates({}),
      { project: 'a' },
      PASS,
    ],
    [
      'AggregateMultiTenancyIsolation',
      'lets those on that are named',
      aggregates({ filter_tenant_id: 'a,b' }),
      { project: 'b' },
      PASS,
    ],
    [
      'AggregateMultiTenancyIsolation',
      'counts every key that begins so',
      aggregates({ filter_tenant_id: 'a' }, { filter_tenant_id2: 'c' }),
      { project: 'c' },
      PASS,
    ],
    [
      'AggregateMultiTenancyIsolation',
      'keeps others off',
      aggregates({ filter_tenant_id: 'a' }),
      { project: 'b' },
      reject('for other projects'),
    ],

    ['AggregateTypeAffinityFilter', 'lets any flavor on hosts for all', aggregates({}), {}, PASS],
    [
      'AggregateTypeAffinityFilter',
      'lets a flavor on that is listed',
      aggregates({ instance_type: 'm1.tiny,m1.big' }),
      {},
      PASS,
    ],
    [
      'AggregateTypeAffinityFilter',
      'keeps others off',
      aggregates({ instance_type: 'm1.big' }),
      {},
      reject('for other flavors'),
    ],

    ['NumInstancesFilter', 'lets one more on', { instances: 49 }, {}, PASS],
    [
      'NumInstancesFilter',
      'takes out a host that has enough',
      { instances: 50 },
      {},
      reject('with 50 instances or more'),
    ],
    [
      'NumInstancesFilter',
      'takes the number it is told',
      { instances: 2 },
      {},
      reject('with 2 instances or more'),
      { maxInstancesPerHost: 2 },
    ],
    [
      'AggregateNumInstancesFilter',
      'takes the least number of the aggregates',
      { instances: 7, ...aggregates({ max_instances_per_host: '9' }, { max_instances_per_host: '7' }) },
      {},
      reject('with 7 instances or more'),
    ],
    ['AggregateNumInstancesFilter', 'takes its own number where none says one', { instances: 49 }, {}, PASS],

    ['IoOpsFilter', 'lets a host be a little busy', { ioOps: 7 }, {}, PASS],
    ['IoOpsFilter', 'takes out one that is busy', { ioOps: 8 }, {}, reject('busy with 8 instances or more')],
    [
      'AggregateIoOpsFilter',
      'takes the number of the aggregate',
      { ioOps: 1, ...aggregates({ max_io_ops_per_host: '1' }) },
      {},
      reject('busy with 1 instances or more'),
    ],

    ['IsolatedAggregatesFilter', 'lets any on hosts for all', aggregates({ tier: 'gold' }), {}, PASS],
    [
      'IsolatedAggregatesFilter',
      'lets on what asks for the trait by its flavor',
      aggregates({ 'trait:CUSTOM_GPU': 'required' }),
      withSpecs({ 'trait:CUSTOM_GPU': 'required' }),
      PASS,
    ],
    [
      'IsolatedAggregatesFilter',
      'lets on what asks for the trait by its image',
      aggregates({ 'trait:CUSTOM_GPU': 'required' }),
      { image: { properties: { traits_required: ['CUSTOM_GPU'] } } },
      PASS,
    ],
    [
      'IsolatedAggregatesFilter',
      'keeps others off',
      aggregates({ 'trait:CUSTOM_GPU': 'required' }),
      withSpecs({ 'trait:CUSTOM_GPU': 'forbidden', 'trait:CUSTOM_SSD': 'required' }),
      reject('in an aggregate for what needs the trait CUSTOM_GPU'),
    ],
    [
      'IsolatedAggregatesFilter',
      'wants every trait of every aggregate',
      aggregates({ 'trait:CUSTOM_GPU': 'required' }, { 'trait:CUSTOM_SSD': 'required' }),
      withSpecs({ 'trait:CUSTOM_GPU': 'required' }),
      reject('in an aggregate for what needs the trait CUSTOM_SSD'),
    ],
    [
      'IsolatedAggregatesFilter',
      'takes nothing else for an isolation',
      aggregates({ 'trait:CUSTOM_GPU': 'preferred' }),
      {},
      PASS,
    ],

    ['IsolatedHostsFilter', 'lets any on any where nothing is apart', {}, { imageName: 'a' }, PASS],
    [
      'IsolatedHostsFilter',
      'keeps an isolated image off other hosts',
      {},
      { imageName: 'a' },
      reject('not isolated, image a is'),
      { isolatedHosts: ['node-9'], isolatedImages: ['a'] },
    ],
    [
      'IsolatedHostsFilter',
      'keeps it off where no host is isolated and nothing restricted',
      {},
      { imageName: 'a' },
      reject('not isolated, image a is'),
      { isolatedImages: ['a'], restrictIsolatedHosts: false },
    ],
    [
      'IsolatedHostsFilter',
      'lets it on its own',
      {},
      { imageName: 'a' },
      PASS,
      { isolatedHosts: ['node-1'], isolatedImages: ['a'] },
    ],
    [
      'IsolatedHostsFilter',
      'keeps other images off them',
      {},
      { imageName: 'b' },
      reject('for isolated images only'),
      { isolatedHosts: ['node-1'], isolatedImages: ['a'] },
    ],
    [
      'IsolatedHostsFilter',
      'lets other images on them where that is not restricted',
      {},
      { imageName: 'b' },
      PASS,
      { isolatedHosts: ['node-1'], isolatedImages: ['a'], restrictIsolatedHosts: false },
    ],

    ['SimpleCIDRAffinityFilter', 'lets any through that nothing is asked of', {}, {}, PASS],
    [
      'SimpleCIDRAffinityFilter',
      'lets a host through that is near',
      { hostIp: '10.1.2.200' },
      { nearHostIp: '10.1.2.3/24' },
      PASS,
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes out one that is further',
      { hostIp: '10.1.3.3' },
      { nearHostIp: '10.1.2.3/24' },
      reject('with an address outside 10.1.2.3/24'),
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes as many bits as it is told',
      { hostIp: '10.1.3.3' },
      { nearHostIp: '10.1.2.3/23' },
      PASS,
    ],
    [
      'SimpleCIDRAffinityFilter',
      'knows IPv6, however it is written',
      { hostIp: 'fd00:0:0:0::9' },
      { nearHostIp: 'FD00::1/64' },
      PASS,
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes out an IPv6 address outside',
      { hostIp: 'fd00:0:0:1::9' },
      { nearHostIp: 'fd00::1/64' },
      reject('with an address outside fd00::1/64'),
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes no IPv4 address for IPv6',
      { hostIp: '10.1.2.3' },
      { nearHostIp: '::/0' },
      reject('with an address outside ::/0'),
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes out a host without an address',
      {},
      { nearHostIp: '10.1.2.3/24' },
      reject('without an address'),
    ],
    [
      'SimpleCIDRAffinityFilter',
      'takes out a host with something else for one',
      { hostIp: 'node-1.example' },
      { nearHostIp: '10.1.2.3/0' },
      reject('with an address outside 10.1.2.3/0'),
    ],
  ]

  it.each(cases.map((one) => ({ name: `${one[0]} ${one[1]}`, one })))('$name', ({ one }) => {
    const [filter, , host, request, want, settings] = one
    expect(judge(filter, host, request, settings)).toEqual(want)
  })
})

describe('filters that go by names', () => {
  const group = (fields: Partial<GroupState>): { group: GroupState } => ({
    group: {
      name: 'web',
      policy: 'anti-affinity',
      maxServerPerHost: 1,
      membersOn: new Map([
        ['node-1', 1],
        ['node-2', 2],
      ]),
      ...fields,
    },
  })

  it.each([
    { name: 'ServerGroupAntiAffinityFilter', what: 'without a group', options: {}, want: undefined },
    {
      name: 'ServerGroupAntiAffinityFilter',
      what: 'with members',
      options: group({}),
      want: { not: new Set(['node-1', 'node-2']), reason: 'with 1 of the group web or more' },
    },
    {
      name: 'ServerGroupAntiAffinityFilter',
      what: 'with fewer members than one may have',
      options: group({ maxServerPerHost: 2 }),
      want: { not: new Set(['node-2']), reason: 'with 2 of the group web or more' },
    },
    {
      name: 'ServerGroupAntiAffinityFilter',
      what: 'of another policy',
      options: group({ policy: 'soft-anti-affinity' }),
      want: undefined,
    },
    {
      name: 'ServerGroupAffinityFilter',
      what: 'with members',
      options: group({ policy: 'affinity' }),
      want: { only: new Set(['node-1', 'node-2']), reason: 'without the group web' },
    },
    {
      name: 'ServerGroupAffinityFilter',
      what: 'without members yet',
      options: group({ policy: 'affinity', membersOn: new Map() }),
      want: undefined,
    },
  ])('$name: a group $what', ({ name, options, want }) => {
    expect(limitOf(name, undefined, options)).toEqual(want)
  })

  it('DifferentHostFilter takes out the hosts of the instances that are named', () => {
    expect(limitOf('DifferentHostFilter', {})).toBeUndefined()
    expect(
      limitOf('DifferentHostFilter', { different_host: ['a', 'b'] }, { differentHosts: ['node-1'] }),
    ).toEqual({ not: new Set(['node-1']), reason: 'with one of a, b' })
  })

  it('SameHostFilter leaves the hosts of the instances that are named, and none where they have none', () => {
    expect(limitOf('SameHostFilter', {})).toBeUndefined()
    expect(limitOf('SameHostFilter', { same_host: ['a'] }, { sameHosts: [] })).toEqual({
      only: new Set(),
      reason: 'without any of a',
    })
  })
})
