import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeHost, makeRequest } from '../../testing/builders.ts'
import { type NamedHostsFilter, PASS, reject, type SchedulerFilter } from '../filters/filter.ts'
import { DEFAULT_FILTERS, makeFilters } from '../filters/registry.ts'
import type { HostState } from '../host-state.ts'
import { type Policy, selectDestination } from '../select-destination.ts'
import type { SelectOptions } from '../select-options.ts'
import { DEFAULT_WEIGHER_SETTINGS, WEIGHERS } from '../weighers/registry.ts'
import type { NamedHostsWeigher, SchedulerWeigher } from '../weighers/weigher.ts'
import { HostIndex } from './host-index.ts'

/** Takes out the hosts of members under anti-affinity, and all others under affinity. */
const groupFilter: NamedHostsFilter = {
  name: 'Group',
  limit: (_request, { group }) => {
    if (!group) return undefined
    const members = new Set(group.membersOn.keys())
    if (group.policy === 'anti-affinity') return { not: members, reason: 'has a member' }
    return group.policy === 'affinity' ? { only: members, reason: 'has no member' } : undefined
  },
}
const differentHosts: NamedHostsFilter = {
  name: 'Different',
  limit: (_request, options) =>
    options.differentHosts && { not: new Set(options.differentHosts), reason: 'is not different' },
}
const softAffinity: NamedHostsWeigher = {
  name: 'Soft',
  scores: ({ group }) => (group?.policy.startsWith('soft') ? group.membersOn : new Map()),
}
const parity: SchedulerFilter = {
  name: 'Parity',
  check: ({ used }) => (used.vcpus % 5 === 4 ? reject(`with ${used.vcpus} used`) : PASS),
}
/** Fixes nothing: its scale follows the hosts at both ends. */
const free: SchedulerWeigher = { name: 'Free', score: ({ used }) => -used.memoryMb }
const fixed: SchedulerWeigher = { name: 'Fixed', minimum: 1, maximum: 5, score: ({ used }) => used.diskGb }

const multiplier = fc.constantFrom(1, 1, 0, -1, 2.5, 1e6, -0.3)
const policies = fc
  .record({
    order: fc.shuffledSubarray(['defaults', 'group', 'different', 'parity'], { minLength: 4 }),
    multipliers: fc.array(multiplier, { minLength: 6, maxLength: 6 }),
  })
  .map(({ order, multipliers }): Policy => {
    const parts: Readonly<Record<string, readonly SchedulerFilter[]>> = {
      defaults: makeFilters([...DEFAULT_FILTERS, 'SimpleCIDRAffinityFilter', 'IsolatedAggregatesFilter']),
      group: [groupFilter],
      different: [differentHosts],
      parity: [parity],
    }
    const weighers = [
      ...Object.values(WEIGHERS).map(({ make }) => make(DEFAULT_WEIGHER_SETTINGS)),
      free,
      softAffinity,
      fixed,
    ]
    return {
      filters: order.flatMap((name) => parts[name] ?? []),
      weighers: weighers.map((weigher, n) => ({ weigher, multiplier: multipliers[n] ?? 1 })),
    }
  })

const name = fc.nat(39).map((n) => `host-${n}`)
const amount = fc.integer({ min: 0, max: 12 })
const amounts = fc.record({ vcpus: amount, memoryMb: amount, diskGb: amount })
const host = fc
  .record({
    host: name,
    enabled: fc.constantFrom(true, true, true, false),
    availabilityZone: fc.constantFrom('nova', 'nova', 'west'),
    aggregates: fc.constantFrom([], [], [{ name: 'gpu', metadata: { 'trait:GPU': 'required' } }]),
    traits: fc.constantFrom([], ['GPU']),
    hostIp: fc.constantFrom('10.0.0.1', '10.0.1.1', undefined),
    inventory: fc.constantFrom(
      { vcpus: 12, memoryMb: 12, diskGb: 12 },
      { vcpus: 24, memoryMb: 16, diskGb: 12 },
    ),
    used: amounts,
    imageProperties: fc.constantFrom(
      undefined,
      new Map([['os_distro=debian', 3]]),
      new Map([
        ['os_distro=debian', 1],
        ['os_distro=windows', 2],
      ]),
    ),
    weightMultipliers: fc.constantFrom(undefined, undefined, { RAMWeigher: -2 }, { Soft: 3, Free: 7 }),
  })
  .map(makeHost)
const names = fc.uniqueArray(
  fc.nat(41).map((n) => `host-${n}`),
  { maxLength: 6 },
)
const options: fc.Arbitrary<SelectOptions> = fc.record({
  ignoreHosts: fc.oneof(fc.constant([]), names),
  preferHosts: fc.oneof(fc.constant([]), names),
  maxAlternates: fc.nat(8),
  group: fc.option(
    fc.record({
      name: fc.constant('web'),
      policy: fc.constantFrom('affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity'),
      maxServerPerHost: fc.constant(1),
      membersOn: names.map((all) => new Map(all.map((one, n) => [one, (n % 3) + 1]))),
    }),
    { nil: undefined },
  ),
  differentHosts: fc.option(names, { nil: undefined }),
})
const request = fc
  .record({
    flavor: fc.constantFrom(
      { vcpus: 1, memoryMb: 1, diskGb: 1 },
      { vcpus: 1, memoryMb: 1, diskGb: 1 },
      { vcpus: 4, memoryMb: 2, diskGb: 0 },
    ),
    requestedHost: fc.constantFrom(undefined, undefined, undefined, 'host-3', 'gone'),
    availabilityZone: fc.constantFrom(undefined, undefined, 'west'),
    extraSpecs: fc.constantFrom({}, {}, { 'trait:GPU': 'required' }),
    properties: fc.constantFrom({}, { os_distro: 'debian' }, { os_distro: 'windows' }),
    hints: fc.constantFrom(undefined, undefined, { build_near_host_ip: '10.0.0.9' }),
  })
  .map(makeRequest)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: host }) },
  { weight: 1, arbitrary: fc.record({ remove: name }) },
  { weight: 6, arbitrary: fc.record({ request, options }) },
)
const cluster = fc.array(host, { maxLength: 60 })

describe('whatever changed before', () => {
  it('the index decides as looking at every host does, and says the same of it', () => {
    fc.assert(
      fc.property(policies, cluster, fc.array(step, { maxLength: 40 }), (policy, all, steps) => {
        const index = new HostIndex(policy)
        const hosts = new Map<string, HostState>()
        const put = (one: HostState): void => {
          hosts.set(one.host, one)
          index.put(one)
        }
        for (const one of all) put(one)
        for (const one of steps) {
          if ('put' in one) put(one.put)
          else if ('remove' in one) {
            hosts.delete(one.remove)
            index.remove(one.remove)
          } else {
            const want = selectDestination([...hosts.values()], one.request, policy, one.options)
            expect(index.select(one.request, one.options)).toEqual(want)
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('many hosts', () => {
  /** Numbers below `n`, the same ones for the same seed. */
  function randomOf(seed: number): (n: number) => number {
    let state = seed
    return (n) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
  }

  function manyHosts(count: number, random: (n: number) => number): HostState[] {
    return Array.from({ length: count }, (_, n) =>
      makeHost({
        host: `host-${n}`,
        inventory: { vcpus: 64, memoryMb: 1000, diskGb: 500 },
        used: { vcpus: random(50), memoryMb: random(900), diskGb: random(450) },
      }),
    )
  }

  it.each([
    { what: 'that differ', random: true, multipliers: [1, 1, 1] },
    { what: 'that are all alike', random: false, multipliers: [1, 1, 1] },
    { what: 'that are stacked', random: true, multipliers: [-1, 1, 0.5] },
  ])('$what fill up as they would by looking at each', ({ random: isRandom, multipliers }) => {
    const random = randomOf(7)
    const policy: Policy = {
      filters: makeFilters(DEFAULT_FILTERS),
      weighers: Object.values(WEIGHERS).map(({ make }, n) => ({
        weigher: make(DEFAULT_WEIGHER_SETTINGS),
        multiplier: multipliers[n] ?? 1,
      })),
    }
    const index = new HostIndex(policy)
    const hosts = new Map<string, HostState>()
    const put = (one: HostState): void => {
      hosts.set(one.host, one)
      index.put(one)
    }
    for (const one of manyHosts(600, isRandom ? random : () => 0)) put(one)
    const flavors = [
      { vcpus: 1, memoryMb: 20, diskGb: 5 },
      { vcpus: 4, memoryMb: 10, diskGb: 50 },
    ]
    for (let n = 0; n < 400; n++) {
      const flavor = flavors[random(2)] ?? {}
      const wanted = makeRequest({ flavor })
      const options = { ignoreHosts: [], preferHosts: [], maxAlternates: 2 }
      const { host: chosen, ...rest } = index.select(wanted, options)
      expect({ host: chosen, ...rest }).toEqual(
        selectDestination([...hosts.values()], wanted, policy, options),
      )
      if (!chosen) continue
      const { vcpus, memoryMb, diskGb } = chosen.used
      put({
        ...chosen,
        used: {
          vcpus: vcpus + wanted.flavor.vcpus,
          memoryMb: memoryMb + wanted.flavor.memoryMb,
          diskGb: diskGb + wanted.flavor.diskGb,
        },
      })
    }
  })
})
