import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'
import type { RequestSpec, SpecialField } from '../request-spec.ts'
import type { SelectOptions } from '../select-options.ts'

/** A filter's answer for one host. */
export type Verdict = { readonly pass: true } | { readonly pass: false; readonly reason: string }

export const PASS: Verdict = { pass: true }

export function reject(reason: string): Verdict {
  return { pass: false, reason }
}

/**
 * Takes hosts out that cannot take an instance. Pure: the same host and request give the same verdict, which is
 * therefore kept until the host changes. nova.scheduler.filters.BaseHostFilter.
 */
export interface HostFilter {
  readonly name: string
  /** The fields of a request that only those see who say so: the verdicts of each value are kept apart. */
  readonly reads?: readonly SpecialField[]
  /**
   * The reason of a rejection is counted with its likes over all hosts, so it names what is wrong, and
   * numbers only where they are few.
   */
  check(host: HostState, request: RequestSpec): Verdict
}

/** Hosts that a request names: the only ones, or ones it must not have. */
export type Limit =
  | { readonly only: ReadonlySet<string>; readonly reason: string }
  | { readonly not: ReadonlySet<string>; readonly reason: string }

/**
 * Takes hosts out by their names, for what differs from instance to instance: the members of its group, its
 * hints. Nova has these as filters like any other; here they cost what they name and not what there is.
 */
export interface NamedHostsFilter {
  readonly name: string
  /** `undefined`: the request limits nothing. */
  limit(request: BuildRequest, options: SelectOptions): Limit | undefined
}

export type SchedulerFilter = HostFilter | NamedHostsFilter

export function isHostFilter(filter: SchedulerFilter): filter is HostFilter {
  return 'check' in filter
}
