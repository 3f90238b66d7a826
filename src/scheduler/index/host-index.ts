import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'
import { MAX_WEIGHED, preferring, type Selection, toSelection } from '../placement.ts'
import { type SpecialField, toRequestSpec } from '../request-spec.ts'
import { type Policy, readsOf, selectDestination } from '../select-destination.ts'
import type { SelectOptions } from '../select-options.ts'
import { weighHosts } from '../weighers/weigh.ts'
import { ClassCache } from './class-cache.ts'
import { heaviest } from './heaviest.ts'
import { firstRejection, limitsOf, type PlacedLimit } from './limits.ts'
import { RemovedCounts } from './removed-counts.ts'
import type { RequestClass } from './request-class.ts'

interface Question {
  readonly kind: RequestClass
  readonly limits: readonly PlacedLimit[]
  readonly options: SelectOptions
}

/**
 * The hosts, and what the policy says of them to each kind of request that comes again. A decision costs what
 * changed since the last of its kind, and not what there is; it is the one that {@link selectDestination} makes.
 */
export class HostIndex {
  readonly #policy: Policy
  readonly #reads: ReadonlySet<SpecialField>
  readonly #hosts = new Map<string, HostState>()
  readonly #classes: ClassCache

  constructor(policy: Policy) {
    this.#policy = policy
    this.#reads = readsOf(policy)
    this.#classes = new ClassCache(policy, this.#hosts)
  }

  /** A host is there, or is different from what it was. */
  put(host: HostState): void {
    this.#hosts.set(host.host, host)
    this.#classes.changed(host.host)
  }

  remove(host: string): void {
    if (this.#hosts.delete(host)) this.#classes.changed(host)
  }

  /** As {@link selectDestination} over all hosts. */
  select(request: BuildRequest, options: SelectOptions): Selection {
    const kind = this.#classes.find(toRequestSpec(request, this.#reads))
    if (!kind) return selectDestination([...this.#hosts.values()], request, this.#policy, options)
    const limits = limitsOf(this.#policy, request, options)
    const among = limits.find((limit) => 'only' in limit)
    const question = { kind, limits, options }
    return among && 'only' in among ? this.#selectAmong(among, question) : this.#selectFromAll(question)
  }

  #selectFromAll({ kind, limits, options }: Question): Selection {
    const gone = new Set<string>()
    const counts = new RemovedCounts(kind)
    for (const host of this.#namedIn(limits)) {
      const byKind = kind.rejectionOf(host)
      const first = firstRejection(host, kind, limits)
      if (!first || first === byKind) continue
      counts.add(first)
      if (byKind) counts.subtract(byKind)
      else gone.add(host)
    }
    const { preferHosts, maxAlternates } = options
    const count = Math.max(MAX_WEIGHED, maxAlternates + 1) + preferHosts.length
    const order = heaviest(kind.passing, this.#policy.weighers, { count, gone, options }).flatMap(
      ({ host, weight, shares }) => {
        const state = this.#hosts.get(host)
        return state ? [{ host: state, weight, shares }] : []
      },
    )
    const removed = counts.toRemoved(this.#policy, limits, this.#policy.filters.length)
    return toSelection(this.#hosts.size, removed, preferring(order, preferHosts), maxAlternates)
  }

  /** Few hosts can be chosen at all: they are looked at one by one, and the others only counted. */
  #selectAmong({ filter: among, ...limit }: OnlyLimit, { kind, limits, options }: Question): Selection {
    const counts = new RemovedCounts(kind)
    for (const host of this.#namedIn(limits)) {
      const byKind = kind.rejectionOf(host)
      const first = firstRejection(host, kind, limits)
      if (!first || first === byKind) continue
      if (byKind && byKind.filter < among) counts.subtract(byKind)
      if (first.filter < among) counts.add(first)
    }
    const before = counts.totalBefore(among)
    const reached: HostState[] = []
    const passing: HostState[] = []
    for (const host of [...limit.only].flatMap((name) => this.#hosts.get(name) ?? [])) {
      const first = firstRejection(host.host, kind, limits)
      if (first && first.filter < among) continue
      reached.push(host)
      if (first) counts.add(first)
      else passing.push(host)
    }
    counts.add({ filter: among, reason: limit.reason }, this.#hosts.size - before - reached.length)
    const order = weighHosts(passing, kind.spec, options, this.#policy.weighers)
    const removed = counts.toRemoved(this.#policy, limits, among)
    return toSelection(
      this.#hosts.size,
      removed,
      preferring(order, options.preferHosts),
      options.maxAlternates,
    )
  }

  /** The hosts that a request must not have, of those that are there. */
  #namedIn(limits: readonly PlacedLimit[]): Set<string> {
    const named = limits.flatMap((limit) => ('not' in limit ? [...limit.not] : []))
    return new Set(named.filter((host) => this.#hosts.has(host)))
  }
}

type OnlyLimit = Extract<PlacedLimit, { readonly only: unknown }>
