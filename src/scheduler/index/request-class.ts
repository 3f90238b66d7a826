import { isHostFilter } from '../filters/filter.ts'
import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import type { Policy } from '../select-destination.ts'
import { ScoreTable, type Scores } from './score-table.ts'

/** The first filter that takes a host out, by its place in the policy, and what it says. */
export interface Rejection {
  readonly filter: number
  readonly reason: string
}

/**
 * What the filters and weighers say of every host to one kind of request. They are asked about a host when it
 * changed, not when a host is wanted.
 */
export class RequestClass {
  readonly spec: RequestSpec
  readonly passing: ScoreTable
  readonly #filters: Policy['filters']
  readonly #rejected = new Map<string, Rejection>()
  /** By filter: how many hosts it takes out, by reason. */
  readonly #reasons: readonly Map<string, number>[]
  /** By filter, by reason: one object for all the hosts it is said of. */
  readonly #rejections: readonly Map<string, Rejection>[]

  constructor(spec: RequestSpec, policy: Policy) {
    this.spec = spec
    this.passing = new ScoreTable(policy.weighers)
    this.#filters = policy.filters
    this.#reasons = policy.filters.map(() => new Map())
    this.#rejections = policy.filters.map(() => new Map())
  }

  /** What takes a host out that nothing does by its name; `undefined` where it passes. */
  rejectionOf(host: string): Rejection | undefined {
    return this.#rejected.get(host)
  }

  /** How many hosts a filter takes out, by reason. */
  reasonsOf(filter: number): ReadonlyMap<string, number> | undefined {
    return this.#reasons[filter]
  }

  /** Judges a host anew. */
  put(host: HostState, scoresOf: (host: HostState, spec: RequestSpec) => Scores): void {
    const { host: name } = host
    const before = this.#rejected.get(name)
    const now = this.#judge(host)
    if (now && now === before) return
    if (before) this.#count(before, -1)
    if (now) {
      this.#count(now, 1)
      this.#rejected.set(name, now)
      this.passing.remove(name)
      return
    }
    if (before) this.#rejected.delete(name)
    this.passing.put(name, scoresOf(host, this.spec))
  }

  /** A host is not there any more. */
  remove(host: string): void {
    const before = this.#rejected.get(host)
    if (before) this.#count(before, -1)
    this.#rejected.delete(host)
    this.passing.remove(host)
  }

  #judge(host: HostState): Rejection | undefined {
    for (const [filter, one] of this.#filters.entries()) {
      if (!isHostFilter(one)) continue
      const verdict = one.check(host, this.spec)
      if (!verdict.pass) return this.#rejection(filter, verdict.reason)
    }
    return undefined
  }

  #rejection(filter: number, reason: string): Rejection {
    const known = this.#rejections[filter]?.get(reason)
    if (known) return known
    const rejection = { filter, reason }
    this.#rejections[filter]?.set(reason, rejection)
    return rejection
  }

  #count({ filter, reason }: Rejection, by: number): void {
    const reasons = this.#reasons[filter]
    const count = (reasons?.get(reason) ?? 0) + by
    if (count > 0) {
      reasons?.set(reason, count)
      return
    }
    reasons?.delete(reason)
    this.#rejections[filter]?.delete(reason)
  }
}
