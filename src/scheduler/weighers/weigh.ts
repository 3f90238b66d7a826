import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import type { SelectOptions } from '../select-options.ts'
import { isHostWeigher, type SchedulerWeigher } from './weigher.ts'

export interface WeightedWeigher {
  readonly weigher: SchedulerWeigher
  readonly multiplier: number
}

/** What each weigher gave to a weight, by name; those that gave something. */
export type Shares = Readonly<Record<string, number>>

export interface WeighedHost {
  readonly host: HostState
  readonly weight: number
  /** Worked out when it is asked for: of few hosts it is. */
  readonly shares: () => Shares
}

export const NO_SHARES: Shares = {}

/** The lowest and the highest score there is of a weigher. */
export interface Scale {
  readonly min: number
  readonly max: number
}

/**
 * The hosts with their weights, best first; equals keep the order of their names, so that a decision can be
 * repeated. nova.weights: each weigher's scores become (score − min) / (max − min), or 0 when all are equal; where
 * there is no choice nothing is weighed.
 */
export function weighHosts(
  hosts: readonly HostState[],
  request: RequestSpec,
  options: SelectOptions,
  weighers: readonly WeightedWeigher[],
): readonly WeighedHost[] {
  if (hosts.length <= 1) return hosts.map((host) => ({ host, weight: 0, shares: () => NO_SHARES }))
  const scored = weighers.map(({ weigher }) => {
    const named = isHostWeigher(weigher) ? undefined : weigher.scores(options)
    return hosts.map((host) =>
      clamp(isHostWeigher(weigher) ? weigher.score(host, request) : (named?.get(host.host) ?? 0), weigher),
    )
  })
  const scales = scored.map((scores, n) => scaleOf(scores, weighers[n]?.weigher))
  return hosts
    .map((host, n) => {
      const scores = scored.map((all) => all[n] ?? 0)
      const multipliers = multipliersOf(host, weighers)
      return {
        host,
        weight: weightOf(scores, multipliers, scales),
        shares: () => sharesOf(weighers, scores, multipliers, scales),
      }
    })
    .sort((a, b) => b.weight - a.weight || (a.host.host < b.host.host ? -1 : 1))
}

/** The sum of what each weigher gives, in their order: the same numbers give the same sum, to the last bit. */
export function weightOf(
  scores: ArrayLike<number>,
  multipliers: ArrayLike<number>,
  scales: readonly Scale[],
): number {
  let weight = 0
  for (let n = 0; n < scales.length; n++) {
    const scale = scales[n]
    if (scale) weight += (multipliers[n] ?? 0) * normalised(scores[n] ?? 0, scale)
  }
  return weight
}

/** What {@link weightOf} sums up, by weigher. */
// oxlint-disable-next-line max-params -- what a weight is made of
export function sharesOf(
  weighers: readonly WeightedWeigher[],
  scores: ArrayLike<number>,
  multipliers: ArrayLike<number>,
  scales: readonly Scale[],
): Shares {
  const shares: Record<string, number> = {}
  for (const [n, { weigher }] of weighers.entries()) {
    const scale = scales[n]
    const share = scale ? (multipliers[n] ?? 0) * normalised(scores[n] ?? 0, scale) : 0
    if (share !== 0) shares[weigher.name] = share
  }
  return shares
}

/** A score brought to 0…1. */
export function normalised(score: number, { min, max }: Scale): number {
  return max === min ? 0 : (score - min) / (max - min)
}

/** A score within what its weigher fixes. */
export function clamp(score: number, { minimum, maximum }: SchedulerWeigher): number {
  const least = minimum === undefined ? score : Math.max(minimum, score)
  return maximum === undefined ? least : Math.min(maximum, least)
}

/** How much each weigher counts on a host: an aggregate's metadata can change it. */
export function multipliersOf(host: HostState, weighers: readonly WeightedWeigher[]): readonly number[] {
  return weighers.map(({ weigher, multiplier }) => host.weightMultipliers?.[weigher.name] ?? multiplier)
}

function scaleOf(scores: readonly number[], weigher: SchedulerWeigher | undefined): Scale {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (const score of scores) {
    if (score < min) min = score
    if (score > max) max = score
  }
  return { min: weigher?.minimum ?? min, max: weigher?.maximum ?? max }
}
