import { clamp, normalised, type Scale, weightOf, type WeightedWeigher } from '../weighers/weigh.ts'
import { isHostWeigher } from '../weighers/weigher.ts'
import { firstOf, type Found, insert, placeOf } from './found.ts'
import { TournamentTree } from './tournament-tree.ts'
import { ValueCounts } from './value-counts.ts'

/** What the weighers say of a host, in their order; one that scores hosts by name says here what it says of others. */
export interface Scores {
  readonly scores: readonly number[]
  readonly multipliers: readonly number[]
  /** Equal for equal scores and multipliers. */
  readonly key: string
}

/** Hosts that no weigher can tell apart: they weigh the same, whatever the others are like. */
interface Bucket extends Scores {
  /** Names, in order. */
  readonly hosts: string[]
}

export interface SearchOptions {
  /** How many hosts are wanted. */
  readonly count: number
  readonly scales: readonly Scale[]
  /** Hosts that are not to be found. */
  readonly without: ReadonlySet<string>
}

/**
 * The hosts that pass, by their scores, so that the heaviest are found without weighing all.
 *
 * A weight depends on all hosts, because scores are brought to 0…1 by the lowest and the highest there is. So each
 * bucket's weight is kept as it was on the scales of some moment, in a tournament tree. On other scales none of
 * them is heavier by more than the drift says: what weighed less than the best found so far minus the drift need
 * not be looked at. When that leaves too many, all are weighed once on the scales of now.
 */
export class ScoreTable {
  readonly #weighers: readonly WeightedWeigher[]
  readonly #buckets: (Bucket | undefined)[] = []
  readonly #free: number[] = []
  readonly #idOf = new Map<string, number>()
  readonly #bucketOf = new Map<string, number>()
  /** Weights on the scales `#kept`. */
  readonly #weights = new TournamentTree()
  #kept: readonly Scale[]
  /** By weigher, where it does not fix them: the scores of the buckets, and the scores negated. */
  readonly #highest: readonly (ValueCounts | undefined)[]
  readonly #lowest: readonly (ValueCounts | undefined)[]
  /** By weigher: the least and the most that any host ever multiplied by. */
  readonly #multipliers: { min: number; max: number }[]

  constructor(weighers: readonly WeightedWeigher[]) {
    this.#weighers = weighers
    this.#highest = weighers.map(({ weigher }) =>
      isHostWeigher(weigher) && weigher.maximum === undefined ? new ValueCounts() : undefined,
    )
    this.#lowest = weighers.map(({ weigher }) =>
      isHostWeigher(weigher) && weigher.minimum === undefined ? new ValueCounts() : undefined,
    )
    this.#kept = weighers.map(() => ({ min: 0, max: 0 }))
    this.#multipliers = weighers.map(({ multiplier }) => ({ min: multiplier, max: multiplier }))
  }

  /** How many hosts there are. */
  get size(): number {
    return this.#bucketOf.size
  }

  scoresOf(host: string): Scores | undefined {
    const id = this.#bucketOf.get(host)
    return id === undefined ? undefined : this.#buckets[id]
  }

  put(host: string, scores: Scores): void {
    const id = this.#bucketOf.get(host)
    if (id !== undefined && this.#buckets[id]?.key === scores.key) return
    this.remove(host)
    const known = this.#idOf.get(scores.key)
    if (known === undefined) {
      this.#bucketOf.set(host, this.#open(scores, host))
      return
    }
    const hosts = this.#buckets[known]?.hosts ?? []
    hosts.splice(placeOf(hosts, host), 0, host)
    this.#bucketOf.set(host, known)
  }

  remove(host: string): void {
    const id = this.#bucketOf.get(host)
    if (id === undefined) return
    this.#bucketOf.delete(host)
    const bucket = this.#buckets[id]
    bucket?.hosts.splice(placeOf(bucket.hosts, host), 1)
    if (bucket?.hosts.length === 0) this.#close(id, bucket)
  }

  /** Does something as if some hosts were not there. Nothing may be changed meanwhile. */
  without<T>(hosts: ReadonlySet<string>, work: () => T): T {
    const counts = new Map<number, number>()
    for (const host of hosts) {
      const id = this.#bucketOf.get(host)
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const hidden: [number, Bucket][] = []
    for (const [id, count] of counts) {
      const bucket = this.#buckets[id]
      if (bucket?.hosts.length === count) hidden.push([id, bucket])
    }
    for (const [id, bucket] of hidden) this.#hide(id, bucket)
    try {
      return work()
    } finally {
      for (const [id, bucket] of hidden) this.#show(id, bucket)
    }
  }

  /** From the lowest score to the highest, by weigher; of those that score by name it says nothing. */
  scales(): readonly Scale[] {
    return this.#weighers.map(({ weigher }, n) => ({
      min: weigher.minimum ?? -(this.#lowest[n]?.max ?? 0),
      max: weigher.maximum ?? this.#highest[n]?.max ?? 0,
    }))
  }

  /** The heaviest hosts, best first; equals in the order of their names. */
  search(options: SearchOptions): readonly Found[] {
    const drift = this.#drift(options.scales)
    if (drift === undefined) return this.#searchWithin(options, 0, Number.POSITIVE_INFINITY) ?? []
    const found = this.#searchWithin(options, drift, 64 + this.#idOf.size / 32)
    if (found) return found
    this.#kept = options.scales
    this.#weights.fill(this.#buckets.length, (id) => this.#keptWeight(id))
    return this.#searchWithin(options, 0, Number.POSITIVE_INFINITY) ?? []
  }

  /** `undefined` where more buckets would have to be looked at than the budget allows. */
  // oxlint-disable-next-line max-params -- a search and its two bounds
  #searchWithin(options: SearchOptions, drift: number, budget: number): readonly Found[] | undefined {
    const { count, scales, without } = options
    const best: Found[] = []
    const slack = drift + this.#rounding()
    let visited = 0
    const threshold = (): number => {
      const last = best[count - 1]
      return last === undefined ? Number.NEGATIVE_INFINITY : last.weight - slack
    }
    this.#weights.visitFrom(threshold, (id) => {
      const bucket = this.#buckets[id]
      if (bucket) {
        const weight = weightOf(bucket.scores, bucket.multipliers, scales)
        for (const host of firstOf(bucket.hosts, count, without)) insert(best, { host, weight }, count)
      }
      visited++
      return visited <= budget
    })
    return visited <= budget ? best : undefined
  }

  /**
   * How much heavier than it is kept a host can be on these scales; `undefined` where nothing has changed. What a
   * weigher gives is linear in the score, so it has changed most at an end of the scale.
   */
  #drift(scales: readonly Scale[]): number | undefined {
    let most: number | undefined
    for (const [n, scale] of scales.entries()) {
      const kept = this.#kept[n]
      const multiplier = this.#multipliers[n]
      const weigher = this.#weighers[n]?.weigher
      if (!kept || !multiplier || !weigher) continue
      const [low, high] = isHostWeigher(weigher)
        ? [scale.min, scale.max]
        : [clamp(0, weigher), clamp(0, weigher)]
      const atLow = normalised(low, scale) - normalised(low, kept)
      const atHigh = normalised(high, scale) - normalised(high, kept)
      if (atLow === 0 && atHigh === 0) continue
      const { min, max } = multiplier
      most = (most ?? 0) + Math.max(min * atLow, min * atHigh, max * atLow, max * atHigh)
    }
    return most
  }

  /** More than sums of such numbers can be wrong by. */
  #rounding(): number {
    let sum = 0
    for (const { min, max } of this.#multipliers) sum += Math.max(Math.abs(min), Math.abs(max))
    return 64 * Number.EPSILON * sum
  }

  #keptWeight(id: number): number {
    const bucket = this.#buckets[id]
    return bucket ? weightOf(bucket.scores, bucket.multipliers, this.#kept) : Number.NEGATIVE_INFINITY
  }

  #open({ scores, multipliers, key }: Scores, host: string): number {
    const id = this.#free.pop() ?? this.#buckets.length
    const bucket = { key, scores, multipliers, hosts: [host] }
    this.#buckets[id] = bucket
    this.#idOf.set(key, id)
    for (const [n, multiplier] of multipliers.entries()) {
      const known = this.#multipliers[n]
      if (known && multiplier < known.min) known.min = multiplier
      if (known && multiplier > known.max) known.max = multiplier
    }
    this.#show(id, bucket)
    return id
  }

  #close(id: number, bucket: Bucket): void {
    this.#hide(id, bucket)
    this.#buckets[id] = undefined
    this.#idOf.delete(bucket.key)
    this.#free.push(id)
  }

  #show(id: number, { scores, multipliers }: Bucket): void {
    this.#weights.set(id, weightOf(scores, multipliers, this.#kept))
    for (const [n, score] of scores.entries()) {
      this.#highest[n]?.add(score)
      this.#lowest[n]?.add(-score)
    }
  }

  #hide(id: number, { scores }: Bucket): void {
    this.#weights.set(id, Number.NEGATIVE_INFINITY)
    for (const [n, score] of scores.entries()) {
      this.#highest[n]?.delete(score)
      this.#lowest[n]?.delete(-score)
    }
  }
}
