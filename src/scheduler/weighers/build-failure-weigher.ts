import type { HostState } from '../host-state.ts'
import type { HostWeigher } from './weigher.ts'

/** Prefers hosts whose builds did not fail lately: the more in a row, the worse. Its multiplier outweighs the others. */
export class BuildFailureWeigher implements HostWeigher {
  readonly name = 'BuildFailureWeigher'

  score({ failedBuilds }: HostState): number {
    // Not −0, which would print as such.
    return 0 - failedBuilds
  }
}
