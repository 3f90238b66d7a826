import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { Clock, Timer } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { Informer } from '../kube/informer.ts'
import { bookingsOf } from '../objects/bookings.ts'
import type { HostManager } from './host-manager.ts'
import { type Amounts, amountsOf, NOTHING, plus } from './host-state.ts'

interface AuditDeps {
  readonly nodes: Informer<ComputeNode>
  readonly instances: Informer<Instance>
  readonly hosts: HostManager
  readonly events: Pick<EventRecorder, 'record'>
  readonly clock: Clock
  readonly log: Logger
}

const KINDS = ['ledger', 'agent', 'capacity'] as const

/** Where the books of a host do not agree: with what the scheduler counts, what its agent claims, or what it has. */
export interface Difference {
  readonly host: string
  readonly kind: (typeof KINDS)[number]
  readonly details: string
}

/**
 * Compares what is booked on each host with the instances that are there, with what its agent has claimed and with what
 * the host has, again and again. What differs at two looks in a row is told, as a metric and as an Event of the host;
 * between one and the next everything that is under way has arrived.
 */
export class BookingAudit {
  readonly #deps: AuditDeps
  readonly #log: Logger
  readonly #intervalMs: number
  #suspected = new Set<string>()
  #found: readonly Difference[] = []
  #timer: Timer | undefined

  constructor(deps: AuditDeps, options: { readonly intervalMs: number }) {
    this.#deps = deps
    this.#log = deps.log.named('nova.scheduler.audit')
    this.#intervalMs = options.intervalMs
  }

  start(): void {
    this.#timer = this.#deps.clock.every(this.#intervalMs, () => this.look())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#found = []
    this.#suspected = new Set()
  }

  /** What differed at the last look and at the one before. */
  get differences(): readonly Difference[] {
    return this.#found
  }

  look(): void {
    const now = this.#compare()
    const told = new Set(this.#found.map(keyOf))
    this.#found = now.filter((one) => this.#suspected.has(keyOf(one)))
    this.#suspected = new Set(now.map(keyOf))
    for (const difference of this.#found) if (!told.has(keyOf(difference))) this.#tell(difference)
  }

  #compare(): Difference[] {
    const { nodes, instances, hosts } = this.#deps
    const bound = new Map<string, Amounts>()
    for (const instance of instances.store.list()) {
      for (const { host, flavor } of bookingsOf(instance)) {
        bound.set(host, plus(bound.get(host) ?? NOTHING, amountsOf(flavor)))
      }
    }
    return nodes.store.list().flatMap(({ metadata: { name: host }, status }): Difference[] => {
      const should = bound.get(host) ?? NOTHING
      const counted = hosts.bookedOn(host)
      const claimed = status?.usage
      const free = hosts.freeOn(host)
      return [
        ...differing(host, 'ledger', should, counted, 'counted'),
        ...(claimed ? differing(host, 'agent', should, claimed, 'claimed by the agent') : []),
        ...(free && (free.vcpus < 0 || free.memoryMb < 0 || free.diskGb < 0)
          ? [
              {
                host,
                kind: 'capacity',
                details: `more is booked than there is: free ${inWords(free)}`,
              } as const,
            ]
          : []),
      ]
    })
  }

  #tell(difference: Difference): void {
    const { host, kind, details } = difference
    this.#log.warn('The books of a host do not agree', { host, kind, details })
    const object = this.#deps.nodes.store.get(host)
    if (!object) return
    this.#deps.events.record({ object, type: 'Warning', reason: 'BookingsDiffer', message: details })
  }
}

/** How many hosts differ in each way, also where none does. */
export function countByKind(differences: readonly Difference[]): ReadonlyMap<string, number> {
  return new Map(KINDS.map((kind) => [kind, differences.filter((one) => one.kind === kind).length]))
}

// oxlint-disable-next-line max-params -- two sides of a comparison
function differing(
  host: string,
  kind: Difference['kind'],
  should: Amounts,
  is: Amounts,
  what: string,
): Difference[] {
  const isSame = (['vcpus', 'memoryMb', 'diskGb'] as const).every((one) => should[one] === is[one])
  return isSame ? [] : [{ host, kind, details: `instances hold ${inWords(should)}, ${what} ${inWords(is)}` }]
}

function inWords({ vcpus, memoryMb, diskGb }: Amounts): string {
  return `${vcpus} vCPUs, ${memoryMb} MiB, ${diskGb} GiB`
}

/** The same difference at two looks: numbers that move are traffic. */
function keyOf({ host, kind, details }: Difference): string {
  return `${host} ${kind} ${details}`
}
