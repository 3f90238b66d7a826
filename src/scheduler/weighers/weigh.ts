import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

export interface WeightedWeigher {
  readonly weigher: HostWeigher
  readonly multiplier: number
}

export interface WeighedHost {
  readonly host: HostState
  readonly weight: number
}

/**
 * The hosts with their weights, best first; equals keep the order of their names, so that a decision can be
 * repeated. nova.weights: each weigher's scores become (score − min) / (max − min), or 0 when all are equal.
 */
export function weighHosts(
  hosts: readonly HostState[],
  request: BuildRequest,
  weighers: readonly WeightedWeigher[],
): readonly WeighedHost[] {
  const weights = hosts.map(() => 0)
  for (const { weigher, multiplier } of weighers) {
    const scores = hosts.map((host) => weigher.score(host, request))
    const max = Math.max(...scores)
    const min = weigher.minimum ?? Math.min(...scores)
    if (max === min) continue
    for (const [index, score] of scores.entries()) {
      weights[index] = (weights[index] ?? 0) + (multiplier * (score - min)) / (max - min)
    }
  }
  return hosts
    .map((host, index) => ({ host, weight: weights[index] ?? 0 }))
    .sort((a, b) => b.weight - a.weight || (a.host.host < b.host.host ? -1 : 1))
}
