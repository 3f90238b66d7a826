import type { Removed } from '../placement.ts'
import type { Policy } from '../select-destination.ts'
import type { PlacedLimit } from './limits.ts'
import type { Rejection, RequestClass } from './request-class.ts'

const NOTHING: ReadonlyMap<string, number> = new Map()

/** How many hosts each filter took out: what the class counted, and what one request changes in that. */
export class RemovedCounts {
  readonly #kind: RequestClass
  readonly #changes = new Map<number, Map<string, number>>()

  constructor(kind: RequestClass) {
    this.#kind = kind
  }

  add(rejection: Rejection, hosts = 1): void {
    this.#change(rejection, hosts)
  }

  subtract(rejection: Rejection): void {
    this.#change(rejection, -1)
  }

  /** How many hosts of the class are taken out by filters before this one. */
  totalBefore(filter: number): number {
    let total = 0
    for (let n = 0; n < filter; n++) {
      for (const count of this.#reasonsOf(n, true).values()) total += count
    }
    return total
  }

  /**
   * In the order of the filters. A filter by name that limits nothing is not told of.
   *
   * @param countedBefore from this filter on, what the class counted is left out
   */
  toRemoved(policy: Policy, limits: readonly PlacedLimit[], countedBefore: number): Removed[] {
    return policy.filters.flatMap((one, n) => {
      const isTold = 'check' in one || limits.some(({ filter }) => filter === n)
      return isTold ? [{ name: one.name, reasons: this.#reasonsOf(n, n < countedBefore) }] : []
    })
  }

  #reasonsOf(filter: number, withClass: boolean): ReadonlyMap<string, number> {
    const counted = (withClass ? this.#kind.reasonsOf(filter) : undefined) ?? NOTHING
    const changes = this.#changes.get(filter)
    if (!changes) return counted
    const reasons = new Map(counted)
    for (const [reason, by] of changes) reasons.set(reason, (reasons.get(reason) ?? 0) + by)
    return reasons
  }

  #change({ filter, reason }: Rejection, by: number): void {
    const changes = this.#changes.get(filter) ?? new Map<string, number>()
    changes.set(reason, (changes.get(reason) ?? 0) + by)
    this.#changes.set(filter, changes)
  }
}
