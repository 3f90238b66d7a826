import { freeOn, type HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Prefers hosts with more free disk, which spreads instances; a negative multiplier stacks them. */
export class DiskWeigher implements HostWeigher {
  readonly name = 'DiskWeigher'
  readonly minimum = 0

  score(host: HostState): number {
    return Math.max(0, freeOn(host).diskGb)
  }
}
