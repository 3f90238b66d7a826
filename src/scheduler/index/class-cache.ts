import type { HostState } from '../host-state.ts'
import { keyOfSpec, type RequestSpec } from '../request-spec.ts'
import type { Policy } from '../select-destination.ts'
import { clamp, multipliersOf } from '../weighers/weigh.ts'
import { isHostWeigher } from '../weighers/weigher.ts'
import { RequestClass } from './request-class.ts'
import type { Scores } from './score-table.ts'

/** Places of hosts in all classes together, which bounds the memory; a cluster of any size has some classes. */
const MAX_PLACES = 1_000_000
const MIN_CLASSES = 48
const MAX_CLASSES = 256

interface Entry {
  kind: RequestClass
  /** The number of the first change that the class has not seen; −1 where it has seen no host yet. */
  readUpTo: number
}

/**
 * The kinds of requests that come again, each kept current when it is asked for. What a host is like is told to all
 * of them by one list of names.
 */
export class ClassCache {
  readonly #policy: Policy
  readonly #hosts: ReadonlyMap<string, HostState>
  /** Least recently used first; `undefined` for a kind that came once. */
  readonly #entries = new Map<string, Entry | undefined>()
  /** Hosts in the order they changed. The first of them is change number `#forgotten`. */
  #changes: string[] = []
  #forgotten = 0
  /** By host, where the weighers look at hosts alone: all classes share them. */
  readonly #scores: Map<string, Scores> | undefined

  constructor(policy: Policy, hosts: ReadonlyMap<string, HostState>) {
    this.#policy = policy
    this.#hosts = hosts
    const isShared = policy.weighers.every(({ weigher }) => !isHostWeigher(weigher) || !weigher.readsRequest)
    this.#scores = isShared ? new Map() : undefined
  }

  changed(host: string): void {
    this.#scores?.delete(host)
    this.#changes.push(host)
    // Who has not read the older half by now judges all hosts anew, which is not more.
    if (this.#changes.length <= 2 * this.#hosts.size + 1024) return
    const half = this.#changes.length >> 1
    this.#changes = this.#changes.slice(half)
    this.#forgotten += half
  }

  /** The class of a kind of request, as of now; `undefined` the first time: it may never come again. */
  find(spec: RequestSpec): RequestClass | undefined {
    const key = keyOfSpec(spec)
    const isSecond = this.#entries.has(key)
    const entry =
      this.#entries.get(key) ??
      (isSecond ? { kind: new RequestClass(spec, this.#policy), readUpTo: -1 } : undefined)
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const most = Math.max(MIN_CLASSES, Math.min(MAX_CLASSES, MAX_PLACES / Math.max(1, this.#hosts.size)))
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= most) break
      this.#entries.delete(oldest)
    }
    if (entry) this.#catchUp(entry)
    return entry?.kind
  }

  #catchUp(entry: Entry): void {
    const hasMissedSome = entry.readUpTo < this.#forgotten
    if (hasMissedSome) entry.kind = new RequestClass(entry.kind.spec, this.#policy)
    const changed = hasMissedSome
      ? this.#hosts.keys()
      : new Set(this.#changes.slice(entry.readUpTo - this.#forgotten))
    for (const host of changed) {
      const state = this.#hosts.get(host)
      if (state) entry.kind.put(state, this.#scoresOf)
      else entry.kind.remove(host)
    }
    entry.readUpTo = this.#forgotten + this.#changes.length
  }

  readonly #scoresOf = (host: HostState, spec: RequestSpec): Scores => {
    const known = this.#scores?.get(host.host)
    if (known) return known
    const { weighers } = this.#policy
    const scores = weighers.map(({ weigher }) =>
      clamp(isHostWeigher(weigher) ? weigher.score(host, spec) : 0, weigher),
    )
    const multipliers = multipliersOf(host, weighers)
    const found = { scores, multipliers, key: `${scores.join()}|${multipliers.join()}` }
    this.#scores?.set(host.host, found)
    return found
  }
}
