import {
  HOST_AGGREGATE,
  type HostAggregate,
  type HostAggregateStatusCondition,
} from '../apis/v1alpha1/host-aggregate.ts'
import { type Clock, type Timer, toTimestamp } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { isConflict, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Informer } from '../kube/informer.ts'
import type { AggregateDirectory } from './aggregate-directory.ts'
import { nonsenseIn } from './aggregate-settings.ts'

interface ReporterDeps {
  readonly client: KubeClient
  readonly aggregates: Informer<HostAggregate>
  readonly directory: AggregateDirectory
  readonly isHost: (name: string) => boolean
  readonly clock: Clock
  readonly log: Logger
}

/** How many hosts a message names. */
const MAX_NAMED = 5

/**
 * Shows in each aggregate how many hosts are in it, and what of it cannot be used as it is written: that is left out,
 * and the rest is used. A write only when something changed.
 */
export class AggregateReporter {
  readonly #deps: ReporterDeps
  readonly #log: Logger
  readonly #intervalMs: number
  #timer: Timer | undefined

  constructor(deps: ReporterDeps, options: { readonly intervalMs: number }) {
    this.#deps = deps
    this.#log = deps.log.named('nova.scheduler.aggregates')
    this.#intervalMs = options.intervalMs
  }

  start(): void {
    this.#timer = this.#deps.clock.every(this.#intervalMs, () => void this.report())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Looks at all of them once. What could not be written is tried again with the next look. */
  async report(): Promise<void> {
    await Promise.all(this.#deps.aggregates.store.list().map((one) => this.#show(one)))
  }

  async #show(aggregate: HostAggregate): Promise<void> {
    const { client, aggregates, clock } = this.#deps
    const { name, resourceVersion } = aggregate.metadata
    const { hosts, ready } = this.#judge(aggregate)
    const held = aggregate.status?.conditions?.find(({ type }) => type === 'Ready')
    if (aggregate.status?.hosts === hosts && isSame(held, ready)) return
    const since = held?.status === ready.status ? held.lastTransitionTime : toTimestamp(clock.now())
    const status = { hosts, conditions: [{ ...ready, lastTransitionTime: since }] }
    try {
      aggregates.observe(
        await client.mergePatch(
          HOST_AGGREGATE,
          { name },
          { status },
          { subresource: 'status', resourceVersion },
        ),
      )
      if (ready.status === 'False') {
        this.#log.warn('An aggregate cannot be used as it is written', {
          aggregate: name,
          reason: ready.message,
        })
      }
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return
      this.#log.warn('Could not record the state of an aggregate', {
        aggregate: name,
        error: messageOf(error),
      })
    }
  }

  #judge({ metadata: { name }, spec }: HostAggregate): {
    readonly hosts: number
    readonly ready: Omit<HostAggregateStatusCondition, 'lastTransitionTime'>
  } {
    const { directory, isHost } = this.#deps
    const known = [...directory.hostsOf(name)].filter(isHost).sort()
    const missing = (spec.hosts ?? []).filter((host) => !isHost(host))
    const zone = spec.availabilityZone
    const elsewhere = zone === undefined ? [] : known.filter((host) => directory.zoneOf(host) !== zone)
    const troubles = [
      missing.length > 0 && `there is no host ${named(missing)}`,
      known.length === 0 && missing.length === 0 && 'no Node that is a host has these labels',
      elsewhere.length > 0 && `another aggregate puts ${named(elsewhere)} in another zone, which holds`,
      ...nonsenseIn(spec.metadata ?? {}),
    ].filter((one) => one !== false)
    const ready =
      troubles.length === 0
        ? ({ type: 'Ready', status: 'True', reason: 'InUse', message: '' } as const)
        : ({ type: 'Ready', status: 'False', reason: 'NotAllUsable', message: troubles.join('; ') } as const)
    return { hosts: known.length, ready }
  }
}

function named(hosts: readonly string[]): string {
  const more = hosts.length - MAX_NAMED
  return hosts.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function isSame(
  held: HostAggregateStatusCondition | undefined,
  { status, reason, message }: Omit<HostAggregateStatusCondition, 'lastTransitionTime'>,
): boolean {
  return held?.status === status && held.reason === reason && held.message === message
}
