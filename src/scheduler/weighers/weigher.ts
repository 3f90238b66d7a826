import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'

/**
 * Says how good a host is. The scores of all hosts are brought to 0…1 and multiplied. Pure.
 * nova.scheduler.weights.BaseHostWeigher.
 */
export interface HostWeigher {
  readonly name: string
  /** The lowest score there can be, where the weigher fixes it; else the lowest of the hosts counts as 0. */
  readonly minimum?: number
  score(host: HostState, request: BuildRequest): number
}
