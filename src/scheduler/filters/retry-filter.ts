import type { BuildRequest } from '../../objects/build-request.ts'
import type { SelectOptions } from '../select-options.ts'
import type { Limit, NamedHostsFilter } from './filter.ts'

/** Takes out the hosts that failed to build the instance, or that it is to leave. Runs first, whatever filters an operator chooses. */
export class RetryFilter implements NamedHostsFilter {
  readonly name = 'RetryFilter'

  limit(
    _request: BuildRequest,
    { ignoreHosts, ignoreReason = 'failed to build it before' }: SelectOptions,
  ): Limit | undefined {
    return ignoreHosts.length === 0 ? undefined : { not: new Set(ignoreHosts), reason: ignoreReason }
  }
}
