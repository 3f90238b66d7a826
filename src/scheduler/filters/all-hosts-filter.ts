import { type HostFilter, PASS, type Verdict } from './filter.ts'

/** Lets every host through. */
export class AllHostsFilter implements HostFilter {
  readonly name = 'AllHostsFilter'

  check(): Verdict {
    return PASS
  }
}
