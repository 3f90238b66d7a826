import type { HostState } from '../host-state.ts'
import { type HostFilter, PASS, type Verdict, reject } from './filter.ts'

/** Takes out hosts that the operator disabled or whose agent is down. */
export class ComputeFilter implements HostFilter {
  readonly name = 'ComputeFilter'

  check(host: HostState): Verdict {
    if (!host.enabled) return reject(`disabled: ${host.disabledReason ?? 'no reason given'}`)
    if (!host.up) return reject(`down: ${host.downReason ?? 'the agent does not report'}`)
    return PASS
  }
}
