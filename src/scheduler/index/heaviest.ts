import type { SelectOptions } from '../select-options.ts'
import {
  clamp,
  NO_SHARES,
  type Scale,
  type Shares,
  sharesOf,
  weightOf,
  type WeightedWeigher,
} from '../weighers/weigh.ts'
import { isHostWeigher } from '../weighers/weigher.ts'
import { type Found, insert } from './found.ts'
import type { ScoreTable } from './score-table.ts'

interface Wanted {
  readonly count: number
  /** Hosts that do not pass for this request alone. */
  readonly gone: ReadonlySet<string>
  readonly options: SelectOptions
}

/** A host and why it weighs what it does, which can be asked until something changes. */
export interface Heavy extends Found {
  readonly shares: () => Shares
}

/**
 * The heaviest hosts that pass, best first, and after them those that are preferred and did not come up. The
 * hosts that a weigher scores by name are weighed one by one; for all others it adds the same.
 */
export function heaviest(
  table: ScoreTable,
  weighers: readonly WeightedWeigher[],
  wanted: Wanted,
): readonly Heavy[] {
  return table.without(wanted.gone, () => heaviestLeft(table, weighers, wanted))
}

function heaviestLeft(
  table: ScoreTable,
  weighers: readonly WeightedWeigher[],
  { count, gone, options }: Wanted,
): readonly Heavy[] {
  const left = table.size - gone.size
  const named = weighers.map(({ weigher }) => (isHostWeigher(weigher) ? undefined : weigher.scores(options)))
  const apart = new Set<string>()
  for (const host of named.flatMap((scores) => [...(scores?.keys() ?? [])])) {
    if (table.scoresOf(host) && !gone.has(host)) apart.add(host)
  }
  const scoresOf = (host: string): readonly number[] =>
    (table.scoresOf(host)?.scores ?? []).map((score, n) => {
      const weigher = weighers[n]?.weigher
      const scores = named[n]
      return weigher && scores ? clamp(scores.get(host) ?? 0, weigher) : score
    })
  const apartScores = [...apart].map(scoresOf)
  const scales = table.scales().map((scale, n): Scale => {
    const weigher = weighers[n]?.weigher
    if (!weigher || !named[n]) return scale
    const all = apartScores.map((scores) => scores[n] ?? 0)
    if (apart.size < left) all.push(clamp(0, weigher))
    return { min: weigher.minimum ?? Math.min(...all), max: weigher.maximum ?? Math.max(...all) }
  })
  const multipliersOf = (host: string): readonly number[] => table.scoresOf(host)?.multipliers ?? []
  // Where there is no choice nothing is weighed.
  const isChoice = left > 1
  const weigh = (host: string): Found => ({
    host,
    weight: isChoice ? weightOf(scoresOf(host), multipliersOf(host), scales) : 0,
  })
  const best = [...table.search({ count, scales, without: new Set([...gone, ...apart]) })]
  for (const host of apart) insert(best, weigh(host), count)
  const preferred = options.preferHosts.filter(
    (host) => table.scoresOf(host) && !gone.has(host) && !best.some((one) => one.host === host),
  )
  return [...best.map((one) => (isChoice ? one : weigh(one.host))), ...preferred.map(weigh)].map((one) => ({
    ...one,
    shares: () =>
      isChoice ? sharesOf(weighers, scoresOf(one.host), multipliersOf(one.host), scales) : NO_SHARES,
  }))
}
