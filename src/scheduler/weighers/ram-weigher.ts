import { freeOn, type HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Prefers hosts with more free memory, which spreads instances; a negative multiplier stacks them. */
export class RAMWeigher implements HostWeigher {
  readonly name = 'RAMWeigher'
  readonly minimum = 0

  score(host: HostState): number {
    return Math.max(0, freeOn(host).memoryMb)
  }
}
