import type { BuildRequest } from '../objects/build-request.ts'
import { isHostFilter, type SchedulerFilter, type Verdict, PASS, reject } from './filters/filter.ts'
import type { HostState } from './host-state.ts'
import { preferring, type Removed, type Selection, toSelection } from './placement.ts'
import { type SpecialField, toRequestSpec } from './request-spec.ts'
import type { SelectOptions } from './select-options.ts'
import { type WeightedWeigher, weighHosts } from './weighers/weigh.ts'

export interface Policy {
  readonly filters: readonly SchedulerFilter[]
  readonly weighers: readonly WeightedWeigher[]
}

/**
 * Picks a host by looking at every one: filters, then weighers. Pure. It says what a decision is; the
 * {@link HostIndex} comes to the same with less work. nova.scheduler.manager `_schedule`.
 */
export function selectDestination(
  hosts: readonly HostState[],
  request: BuildRequest,
  policy: Policy,
  options: SelectOptions,
): Selection {
  const spec = toRequestSpec(request, readsOf(policy))
  const removed: Removed[] = []
  let passing = hosts
  for (const filter of policy.filters) {
    const check = isHostFilter(filter)
      ? (host: HostState): Verdict => filter.check(host, spec)
      : checkByName(filter.limit(request, options))
    if (!check) continue
    const reasons = new Map<string, number>()
    passing = passing.filter((host) => {
      const verdict = check(host)
      if (!verdict.pass) reasons.set(verdict.reason, (reasons.get(verdict.reason) ?? 0) + 1)
      return verdict.pass
    })
    removed.push({ name: filter.name, reasons })
  }
  const weighed = weighHosts(passing, spec, options, policy.weighers)
  return toSelection(hosts.length, removed, preferring(weighed, options.preferHosts), options.maxAlternates)
}

/** The special fields that a policy looks at. */
export function readsOf({ filters }: Policy): ReadonlySet<SpecialField> {
  return new Set(filters.flatMap((filter) => (isHostFilter(filter) ? (filter.reads ?? []) : [])))
}

function checkByName(
  limit: ReturnType<Exclude<SchedulerFilter, { check: unknown }>['limit']>,
): ((host: HostState) => Verdict) | undefined {
  if (!limit) return undefined
  const rejected = reject(limit.reason)
  const passes = 'only' in limit ? limit.only : undefined
  const isOut = 'not' in limit ? limit.not : undefined
  return ({ host }) => ((passes ? !passes.has(host) : isOut?.has(host)) ? rejected : PASS)
}
