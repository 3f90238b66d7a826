import type { HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Scores what a host is building and moving; its multiplier is negative, so that the less busy are preferred. */
export class IoOpsWeigher implements HostWeigher {
  readonly name = 'IoOpsWeigher'
  readonly minimum = 0

  score({ ioOps }: HostState): number {
    return ioOps
  }
}
