import {
  HOST_AGGREGATE,
  type HostAggregate,
  type HostAggregateStatusCondition,
} from '../apis/v1alpha1/host-aggregate.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import type { Informer } from '../kube/informer.ts'
import type { AggregateDirectory } from './aggregate-directory.ts'
import { nonsenseIn } from './aggregate-settings.ts'
import type { Report } from './status-reporter.ts'

type Verdict = Omit<HostAggregateStatusCondition, 'lastTransitionTime'>

interface Known {
  readonly directory: Pick<AggregateDirectory, 'hostsOf' | 'zoneOf'>
  readonly isHost: (name: string) => boolean
}

/** How many hosts a message names. */
const MAX_NAMED = 5

/**
 * Each aggregate shows how many hosts are in it, and what of it cannot be used as it is written: that is left out, and
 * the rest is used.
 */
export function aggregateReport(
  deps: Known & {
    readonly aggregates: Informer<HostAggregate>
    readonly clock: Clock
    readonly log: Logger
  },
): Report<HostAggregate> {
  const { aggregates, clock } = deps
  const log = deps.log.named('nova.scheduler.aggregates')
  return {
    type: HOST_AGGREGATE,
    informer: aggregates,
    changeOf: (aggregate) => {
      const { hosts, ready } = judge(aggregate, deps)
      const held = readyOf(aggregate)
      if (aggregate.status?.hosts === hosts && isSame(held, ready)) return undefined
      const since = held?.status === ready.status ? held.lastTransitionTime : toTimestamp(clock.now())
      return { hosts, conditions: [{ ...ready, lastTransitionTime: since }] }
    },
    onWritten: (aggregate) => {
      const { status, message } = readyOf(aggregate) ?? {}
      if (status !== 'False') return
      log.warn('An aggregate cannot be used as it is written', {
        aggregate: aggregate.metadata.name,
        reason: message,
      })
    },
  }
}

function readyOf({ status }: HostAggregate): HostAggregateStatusCondition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready')
}

function judge(
  { metadata: { name }, spec }: HostAggregate,
  { directory, isHost }: Known,
): { readonly hosts: number; readonly ready: Verdict } {
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
  const ready: Verdict =
    troubles.length === 0
      ? { type: 'Ready', status: 'True', reason: 'InUse', message: '' }
      : { type: 'Ready', status: 'False', reason: 'NotAllUsable', message: troubles.join('; ') }
  return { hosts: known.length, ready }
}

function named(hosts: readonly string[]): string {
  const more = hosts.length - MAX_NAMED
  return hosts.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function isSame(held: HostAggregateStatusCondition | undefined, now: Verdict): boolean {
  return held?.status === now.status && held.reason === now.reason && held.message === now.message
}
