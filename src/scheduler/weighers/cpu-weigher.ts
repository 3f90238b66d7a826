import { freeOn, type HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Prefers hosts with more free vCPUs, which spreads instances; a negative multiplier stacks them. */
export class CPUWeigher implements HostWeigher {
  readonly name = 'CPUWeigher'
  readonly minimum = 0

  score(host: HostState): number {
    return Math.max(0, freeOn(host).vcpus)
  }
}
