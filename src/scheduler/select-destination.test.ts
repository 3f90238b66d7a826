import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeHost, makeRequest } from '../testing/builders.ts'
import { type HostFilter, isHostFilter, PASS, reject } from './filters/filter.ts'
import { DEFAULT_FILTERS, makeFilters } from './filters/registry.ts'
import { type HostState, capacityOf } from './host-state.ts'
import { explainNoValidHost } from './placement.ts'
import { toRequestSpec } from './request-spec.ts'
import { type Policy, selectDestination } from './select-destination.ts'
import type { SelectOptions } from './select-options.ts'
import type { BuildRequest } from '../objects/build-request.ts'
import { DEFAULT_WEIGHER_SETTINGS, WEIGHERS } from './weighers/registry.ts'
import { weighHosts } from './weighers/weigh.ts'

/** What runs in a scheduler that is told nothing. */
const POLICY: Policy = {
  filters: makeFilters(DEFAULT_FILTERS),
  weighers: Object.values(WEIGHERS).map(({ make, multiplier }) => ({
    weigher: make(DEFAULT_WEIGHER_SETTINGS),
    multiplier,
  })),
}

const OPTIONS: SelectOptions = { ignoreHosts: [], preferHosts: [], maxAlternates: 2 }

/** Hosts with that many free vCPUs, so that more is better. */
function makeHosts(free: Readonly<Record<string, number>>): HostState[] {
  return Object.entries(free).map(([host, vcpus]) =>
    makeHost({ host, inventory: { vcpus, memoryMb: vcpus * 1024, diskGb: vcpus * 10 } }),
  )
}

function select(
  hosts: readonly HostState[],
  options: Partial<SelectOptions> = {},
): ReturnType<typeof selectDestination> {
  return selectDestination(hosts, makeRequest(), POLICY, { ...OPTIONS, ...options })
}

/** Rejects each host with the reason given for it. */
function makeFilter(name: string, reasons: Readonly<Record<string, string>>): HostFilter {
  return {
    name,
    check: ({ host }) => {
      const reason = reasons[host]
      return reason === undefined ? PASS : reject(reason)
    },
  }
}

describe('a choice', () => {
  it('is the host with most room, with the next best as alternates', () => {
    const { host, alternates } = select(makeHosts({ a: 4, b: 16, c: 8, d: 2 }))
    expect(host?.host).toBe('b')
    expect(alternates).toEqual(['c', 'a'])
  })

  it('keeps no more alternates than are wanted', () => {
    expect(select(makeHosts({ a: 4, b: 16 }), { maxAlternates: 0 }).alternates).toEqual([])
  })

  it('is the first alternate of an earlier choice that still passes, then the next', () => {
    const hosts = makeHosts({ a: 4, b: 16, c: 8, full: 0 })
    const { host, alternates } = select(hosts, { preferHosts: ['gone', 'full', 'a', 'c'] })
    expect(host?.host).toBe('a')
    expect(alternates).toEqual(['c', 'b'])
  })

  it('is never a host that failed to build the instance', () => {
    const { host, placement } = select(makeHosts({ a: 4, b: 16 }), { ignoreHosts: ['b'], preferHosts: ['b'] })
    expect(host?.host).toBe('a')
    expect(placement.filters[0]).toEqual({
      name: 'RetryFilter',
      removed: 1,
      reasons: ['1 failed to build it before'],
    })
  })

  it('is none where no host is left', () => {
    const { host, alternates, placement } = select([])
    expect(host).toBeUndefined()
    expect(alternates).toEqual([])
    expect(placement).toEqual({ host: '', considered: 0, filters: [], weighed: [] })
  })
})

describe('the explanation of a choice', () => {
  it('counts what each filter took out, in their order, and the best with their weights', () => {
    const filters = [
      makeFilter('First', { a: 'too old', b: 'too old' }),
      makeFilter('Second', {}),
      makeFilter('Third', { c: 'too loud' }),
    ]
    const hosts = makeHosts({ a: 1, b: 1, c: 1, d: 3, e: 9 })

    expect(selectDestination(hosts, makeRequest(), { ...POLICY, filters }, OPTIONS).placement).toEqual({
      host: 'e',
      considered: 5,
      filters: [
        { name: 'First', removed: 2, reasons: ['2 too old'] },
        { name: 'Second', removed: 0, reasons: [] },
        { name: 'Third', removed: 1, reasons: ['1 too loud'] },
      ],
      weighed: [
        { host: 'e', weight: 3, weighers: { RAMWeigher: 1, CPUWeigher: 1, DiskWeigher: 1 } },
        { host: 'd', weight: 1, weighers: { RAMWeigher: 0.333, CPUWeigher: 0.333, DiskWeigher: 0.333 } },
      ],
    })
  })

  it('does not ask the filters after the one that took the last host', () => {
    const filters = [makeFilter('First', { a: 'no' }), makeFilter('Second', {})]
    const { placement } = selectDestination(
      makeHosts({ a: 1 }),
      makeRequest(),
      { ...POLICY, filters },
      OPTIONS,
    )
    expect(placement.filters.map(({ name }) => name)).toEqual(['First'])
  })

  it('is bounded: the five most frequent reasons, cut where they are long, and the five best hosts', () => {
    const names = Array.from({ length: 40 }, (_, n) => `host-${n}`)
    const reasons = Object.fromEntries(names.slice(0, 30).map((name, n) => [name, n < 20 ? `${n}` : 'often']))
    const filters = [makeFilter('Long', { ...reasons, 'host-0': 'x'.repeat(1000) })]
    const hosts = names.map((host) => makeHost({ host }))

    const { placement } = selectDestination(hosts, makeRequest(), { ...POLICY, filters }, OPTIONS)

    const [filter] = placement.filters
    expect(filter?.removed).toBe(30)
    expect(filter?.reasons).toHaveLength(5)
    expect(filter?.reasons[0]).toBe('10 often')
    for (const reason of filter?.reasons ?? []) expect(reason.length).toBeLessThanOrEqual(480)
    expect(placement.weighed).toHaveLength(5)
  })
})

describe('why no host was valid', () => {
  it.each([
    {
      what: 'where there is none',
      placement: { host: '', considered: 0, filters: [], weighed: [] },
      want: 'There are no compute nodes.',
    },
    {
      what: 'with the numbers, of the filters that took any out',
      placement: {
        host: '',
        considered: 3,
        filters: [
          { name: 'ComputeFilter', removed: 1, reasons: ['1 disabled: new disks'] },
          { name: 'AvailabilityZoneFilter', removed: 0, reasons: [] },
          {
            name: 'ResourceFilter',
            removed: 2,
            reasons: ['1 without room: VCPU 8 asked, 1 free', '1 without room: VCPU 8 asked, 0 free'],
          },
        ],
        weighed: [],
      },
      want:
        'Of 3 hosts, ComputeFilter took out 1 (1 disabled: new disks); ResourceFilter took out 2 ' +
        '(1 without room: VCPU 8 asked, 1 free | 1 without room: VCPU 8 asked, 0 free).',
    },
  ])('is said $what', ({ placement, want }) => {
    expect(explainNoValidHost(placement)).toBe(want)
  })
})

const small = fc.integer({ min: 0, max: 12 })
const amounts = fc.record({ vcpus: small, memoryMb: small, diskGb: small })
const ratio = fc.constantFrom(0.5, 1, 1.5, 4)
const zone = fc.constantFrom('nova', 'west')
const aHost = fc.record({
  enabled: fc.boolean().map((no) => !no),
  up: fc.constantFrom(true, true, true, false),
  availabilityZone: zone,
  architecture: fc.constantFrom('x86_64', 'aarch64', undefined),
  inventory: amounts,
  reserved: fc.record({ vcpus: fc.nat(2), memoryMb: fc.nat(2), diskGb: fc.nat(2) }),
  ratios: fc.record({ cpu: ratio, memory: ratio, disk: ratio }),
  used: amounts,
})
const someHosts = fc.array(aHost, { maxLength: 8 }).chain((all) =>
  fc.shuffledSubarray(
    all.map((fields, n) => makeHost({ ...fields, host: `host-${n}` })),
    { minLength: all.length },
  ),
)
const aRequest = fc
  .record({
    flavor: fc.record({
      vcpus: fc.integer({ min: 1, max: 6 }),
      memoryMb: fc.integer({ min: 1, max: 6 }),
      diskGb: fc.nat(6),
    }),
    availabilityZone: fc.option(zone, { nil: undefined }),
    properties: fc.constantFrom({}, { hw_architecture: 'x86_64' as const }),
  })
  .map(makeRequest)
const someOptions = fc.record({
  ignoreHosts: fc.subarray(['host-0', 'host-1', 'host-2']),
  preferHosts: fc.subarray(['host-1', 'host-2', 'host-3', 'gone']),
  maxAlternates: fc.nat(3),
})

function passes(host: HostState, request: BuildRequest): boolean {
  const spec = toRequestSpec(request, new Set())
  return POLICY.filters.every((filter) => !isHostFilter(filter) || filter.check(host, spec).pass)
}

describe('whatever the hosts and the request', () => {
  it('never picks, nor keeps as an alternate, a host that cannot take the instance', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, options) => {
        const { host, alternates } = selectDestination(hosts, request, POLICY, options)
        for (const name of [host?.host, ...alternates]) {
          const found = hosts.find((one) => one.host === name)
          if (!found) continue
          const capacity = capacityOf(found)
          for (const kind of ['vcpus', 'memoryMb', 'diskGb'] as const) {
            // Overbooked in a kind that is not asked for is no reason to refuse.
            const wanted = request.flavor[kind]
            expect(wanted === 0 || found.used[kind] + wanted <= capacity[kind]).toBe(true)
          }
          expect(found).toMatchObject({ enabled: true, up: true })
          expect(options.ignoreHosts).not.toContain(name)
          if (request.availabilityZone) expect(found.availabilityZone).toBe(request.availabilityZone)
        }
      }),
    )
  })

  it('picks a host if any passes all filters, and one of the greatest weight', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, { ignoreHosts, maxAlternates }) => {
        const options = { ignoreHosts, maxAlternates, preferHosts: [] }
        const passing = hosts.filter((one) => !ignoreHosts.includes(one.host) && passes(one, request))
        const { host } = selectDestination(hosts, request, POLICY, options)

        expect(host !== undefined).toBe(passing.length > 0)
        const weights = new Map(
          weighHosts(passing, request, options, POLICY.weighers).map((one) => [one.host.host, one.weight]),
        )
        if (host) expect(weights.get(host.host)).toBe(Math.max(...weights.values()))
      }),
    )
  })

  it('picks the first preferred host that passes', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, options) => {
        const { host } = selectDestination(hosts, request, POLICY, options)
        const passing = hosts.filter((one) => !options.ignoreHosts.includes(one.host) && passes(one, request))
        const preferred = options.preferHosts.find((name) => passing.some((one) => one.host === name))
        if (preferred !== undefined) expect(host?.host).toBe(preferred)
      }),
    )
  })

  it('explains the weights: what the weighers gave is the whole of each', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, options) => {
        const { placement } = selectDestination(hosts, request, POLICY, options)
        for (const { weight, weighers } of placement.weighed) {
          const sum = Object.values(weighers ?? {}).reduce((a, b) => a + b, 0)
          expect(sum).toBeCloseTo(weight, 2)
        }
      }),
    )
  })

  it('explains every host: those considered are those taken out and those that pass', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, options) => {
        const { host, alternates, placement } = selectDestination(hosts, request, POLICY, {
          ...options,
          maxAlternates: 99,
        })
        const removed = placement.filters.reduce((sum, filter) => sum + filter.removed, 0)
        expect(placement.considered).toBe(hosts.length)
        expect(removed + alternates.length + (host ? 1 : 0)).toBe(hosts.length)
        expect(placement.host).toBe(host?.host ?? '')
        for (const { reasons, removed: out } of placement.filters) expect(reasons.length > 0).toBe(out > 0)
      }),
    )
  })

  it('decides the same however the hosts are ordered', () => {
    fc.assert(
      fc.property(someHosts, aRequest, someOptions, (hosts, request, options) => {
        const decide = (all: readonly HostState[]): unknown => {
          const { host, alternates } = selectDestination(all, request, POLICY, options)
          return [host?.host, alternates]
        }
        expect(decide([...hosts].reverse())).toEqual(decide(hosts))
      }),
    )
  })
})
