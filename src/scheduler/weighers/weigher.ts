import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import type { SelectOptions } from '../select-options.ts'

interface Weigher {
  readonly name: string
  /** The lowest score that counts, where the weigher fixes it; else the lowest of the hosts. Nova: minval. */
  readonly minimum?: number
  /** The highest score that counts, where the weigher fixes it. Nova: maxval. */
  readonly maximum?: number
}

/**
 * Says how good a host is. The scores of all hosts are brought to 0…1 and multiplied. Pure.
 * nova.scheduler.weights.BaseHostWeigher.
 */
export interface HostWeigher extends Weigher {
  /** Whether the score depends on the request. Those that do not say so are asked once for all kinds of requests. */
  readonly readsRequest?: true
  score(host: HostState, request: RequestSpec): number
}

/** Scores the few hosts that one request has to do with, by their names; every other scores 0. */
export interface NamedHostsWeigher extends Weigher {
  scores(options: SelectOptions): ReadonlyMap<string, number>
}

export type SchedulerWeigher = HostWeigher | NamedHostsWeigher

export function isHostWeigher(weigher: SchedulerWeigher): weigher is HostWeigher {
  return 'score' in weigher
}
