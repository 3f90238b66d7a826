import type { HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Scores how many instances a host has: a positive multiplier packs them by number, a negative one spreads. */
export class NumInstancesWeigher implements HostWeigher {
  readonly name = 'NumInstancesWeigher'

  score({ instances }: HostState): number {
    return instances
  }
}
