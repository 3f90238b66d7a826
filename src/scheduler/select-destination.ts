import type { Placement } from '../objects/action-progress.ts'
import type { BuildRequest } from '../objects/build-request.ts'
import type { HostFilter } from './filters/filter.ts'
import type { HostState } from './host-state.ts'
import { type WeightedWeigher, weighHosts } from './weighers/weigh.ts'

export interface Policy {
  readonly filters: readonly HostFilter[]
  readonly weighers: readonly WeightedWeigher[]
}

/** A decision. Without a host, `placement.filters` says what took them all out. */
export interface Selection {
  readonly host?: HostState
  /** The next best, best first. */
  readonly alternates: readonly string[]
  readonly placement: Placement
}

export interface SelectOptions {
  /** Hosts that are not asked: they failed to build this instance. */
  readonly ignoreHosts: readonly string[]
  /** Hosts to take, in this order, before any other that passes. */
  readonly preferHosts: readonly string[]
  readonly maxAlternates: number
}

/** How many reasons of a filter, and how many weighed hosts, an explanation keeps. */
const MAX_REASONS = 5
const MAX_WEIGHED = 5
const MAX_REASON_LENGTH = 480

/** Picks a host: filters, then weighers, on a snapshot. Pure. nova.scheduler.manager `_schedule`. */
export function selectDestination(
  hosts: readonly HostState[],
  request: BuildRequest,
  policy: Policy,
  options: SelectOptions,
): Selection {
  const untried = hosts.filter((host) => !options.ignoreHosts.includes(host.host))
  const filters: Placement['filters'] = []
  const tried = hosts.length - untried.length
  if (tried > 0) filters.push({ name: 'RetryFilter', removed: tried, reasons: ['failed to build it before'] })
  let passing: readonly HostState[] = untried
  for (const filter of policy.filters) {
    if (passing.length === 0) break
    const reasons = new Map<string, number>()
    const kept = passing.filter((host) => {
      const verdict = filter.check(host, request)
      if (!verdict.pass) reasons.set(verdict.reason, (reasons.get(verdict.reason) ?? 0) + 1)
      return verdict.pass
    })
    filters.push({ name: filter.name, removed: passing.length - kept.length, reasons: topReasons(reasons) })
    passing = kept
  }
  const weighed = weighHosts(passing, request, policy.weighers)
  const preferred = options.preferHosts.flatMap((name) => weighed.filter((one) => one.host.host === name))
  const order = [...preferred, ...weighed.filter((one) => !preferred.includes(one))]
  const [best, ...others] = order
  return {
    ...(best && { host: best.host }),
    alternates: others.slice(0, options.maxAlternates).map((one) => one.host.host),
    placement: {
      host: best?.host.host ?? '',
      considered: hosts.length,
      filters,
      weighed: order
        .slice(0, MAX_WEIGHED)
        .map((one) => ({ host: one.host.host, weight: Math.round(one.weight * 1000) / 1000 })),
    },
  }
}

function topReasons(reasons: ReadonlyMap<string, number>): string[] {
  return [...reasons]
    .sort((a, b) => b[1] - a[1])
    .slice(0, MAX_REASONS)
    .map(([reason, count]) => `${count} ${reason}`.slice(0, MAX_REASON_LENGTH))
}

/** Why no host was valid, in one sentence with the numbers. */
export function explainNoValidHost(placement: Placement): string {
  if (placement.considered === 0) return 'There are no compute nodes.'
  const parts = placement.filters
    .filter((filter) => filter.removed > 0)
    .map((filter) => `${filter.name} took out ${filter.removed} (${filter.reasons.join(' | ')})`)
  return `Of ${placement.considered} hosts, ${parts.join('; ')}.`
}
