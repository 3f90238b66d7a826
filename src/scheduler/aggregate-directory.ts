import type { HostAggregate } from '../apis/v1alpha1/host-aggregate.ts'
import type { Informer } from '../kube/informer.ts'
import type { AggregateState } from './host-state.ts'
import type { LabelledNode } from './nodes.ts'

const NO_LABELS: Readonly<Record<string, string>> = {}

interface Member {
  readonly state: AggregateState
  readonly zone: string | undefined
}

/** What is said of hosts besides what their agents report. */
export interface HostFacts {
  /** In the order of their names. */
  aggregatesOf(host: string): readonly AggregateState[]
  /** The zone that an aggregate puts the host in. */
  zoneOf(host: string): string | undefined
  /** The labels of its Node. */
  labelsOf(host: string): Readonly<Record<string, string>>
  /** Calls `listener` when any of this is different for a host. Returns what ends it. */
  onChange(listener: (host: string) => void): () => void
}

/** Knows which hosts are in which aggregates, by their names and by the labels of their Nodes. */
export class AggregateDirectory implements HostFacts {
  readonly #aggregates: Informer<HostAggregate>
  readonly #nodes: Informer<LabelledNode>
  /** Host → aggregate → membership. */
  readonly #members = new Map<string, Map<string, Member>>()
  /** Aggregate → its hosts. */
  readonly #hosts = new Map<string, Set<string>>()
  readonly #listeners = new Set<(host: string) => void>()
  #unsubscribe: (() => void)[] = []

  constructor(deps: {
    readonly aggregates: Informer<HostAggregate>
    readonly nodes: Informer<LabelledNode>
  }) {
    this.#aggregates = deps.aggregates
    this.#nodes = deps.nodes
  }

  /** Begins to follow. The informers are started and stopped by whoever owns them. */
  start(): void {
    this.#unsubscribe = [
      this.#aggregates.onChange(({ object, type }) => this.#follow(object, type === 'deleted')),
      this.#nodes.onChange(({ object, old, type }) => {
        if (type !== 'updated' || !isSame(object.metadata.labels, old?.metadata.labels)) {
          this.#relabelled(object.metadata.name)
        }
      }),
    ]
    for (const aggregate of this.#aggregates.store.list()) this.#follow(aggregate, false)
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  aggregatesOf(host: string): readonly AggregateState[] {
    return [...(this.#members.get(host)?.values() ?? [])]
      .map(({ state }) => state)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  zoneOf(host: string): string | undefined {
    let first: Member | undefined
    for (const member of this.#members.get(host)?.values() ?? []) {
      if (member.zone !== undefined && (!first || member.state.name < first.state.name)) first = member
    }
    return first?.zone
  }

  labelsOf(host: string): Readonly<Record<string, string>> {
    return this.#nodes.store.get(host)?.metadata.labels ?? NO_LABELS
  }

  /** The hosts of an aggregate, whether they are there or not. */
  hostsOf(aggregate: string): ReadonlySet<string> {
    return this.#hosts.get(aggregate) ?? new Set()
  }

  onChange(listener: (host: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #follow(aggregate: HostAggregate, isGone: boolean): void {
    const { name } = aggregate.metadata
    const before = new Set(this.hostsOf(name))
    const after = isGone ? new Set<string>() : this.#chosenBy(aggregate)
    for (const host of before) if (!after.has(host)) this.#leave(name, host)
    for (const host of after) this.#join(aggregate, host)
    this.#tell(new Set([...before, ...after]))
  }

  #relabelled(host: string): void {
    const labels = this.labelsOf(host)
    for (const aggregate of this.#aggregates.store.list()) {
      const { nodeSelector, hosts = [] } = aggregate.spec
      if (!nodeSelector || hosts.includes(host)) continue
      if (matches(labels, nodeSelector)) this.#join(aggregate, host)
      else this.#leave(aggregate.metadata.name, host)
    }
    this.#tell([host])
  }

  #chosenBy({ spec }: HostAggregate): Set<string> {
    const { hosts = [], nodeSelector } = spec
    const chosen = new Set(hosts)
    if (!nodeSelector) return chosen
    for (const { metadata } of this.#nodes.store.list()) {
      if (matches(metadata.labels ?? NO_LABELS, nodeSelector)) chosen.add(metadata.name)
    }
    return chosen
  }

  #join({ metadata: { name }, spec }: HostAggregate, host: string): void {
    const { availabilityZone, metadata = {} } = spec
    const hosts = this.#hosts.get(name) ?? new Set()
    this.#hosts.set(name, hosts.add(host))
    const members = this.#members.get(host) ?? new Map<string, Member>()
    // Nova keeps the zone in the metadata, and its filters read it there.
    const all =
      availabilityZone === undefined ? metadata : { availability_zone: availabilityZone, ...metadata }
    this.#members.set(
      host,
      members.set(name, {
        state: { name, metadata: all },
        zone: availabilityZone ?? metadata['availability_zone'],
      }),
    )
  }

  #leave(aggregate: string, host: string): void {
    this.#hosts.get(aggregate)?.delete(host)
    const members = this.#members.get(host)
    members?.delete(aggregate)
    if (members?.size === 0) this.#members.delete(host)
  }

  #tell(hosts: Iterable<string>): void {
    for (const host of hosts) for (const listener of this.#listeners) listener(host)
  }
}

function matches(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value)
}

function isSame(
  a: Readonly<Record<string, string>> = NO_LABELS,
  b: Readonly<Record<string, string>> = NO_LABELS,
): boolean {
  return Object.keys(a).length === Object.keys(b).length && matches(a, b)
}
