import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'

/** A filter's answer for one host. */
export type Verdict = { readonly pass: true } | { readonly pass: false; readonly reason: string }

export const PASS: Verdict = { pass: true }

export function reject(reason: string): Verdict {
  return { pass: false, reason }
}

/**
 * Takes hosts out that cannot take an instance. Pure: the same host and request give the same verdict.
 * nova.scheduler.filters.BaseHostFilter.
 */
export interface HostFilter {
  readonly name: string
  /**
   * The reason of a rejection is counted with its likes over all hosts, so it names what is wrong, and
   * numbers only where they are few.
   */
  check(host: HostState, request: BuildRequest): Verdict
}
