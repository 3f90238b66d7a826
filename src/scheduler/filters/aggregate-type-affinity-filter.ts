import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { aggregateValues } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

/** Takes out hosts of aggregates that are for other flavors, which metadata `instance_type` lists. */
export class AggregateTypeAffinityFilter implements HostFilter {
  readonly name = 'AggregateTypeAffinityFilter'

  check(host: HostState, { flavor }: RequestSpec): Verdict {
    const flavors = aggregateValues(host, 'instance_type')
    return flavors.length === 0 || flavors.includes(flavor.name) ? PASS : reject('for other flavors')
  }
}
