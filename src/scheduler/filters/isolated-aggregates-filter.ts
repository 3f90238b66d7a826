import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { aggregateKeys } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

const SCOPE = 'trait:'

/**
 * Keeps hosts of an aggregate with metadata `trait:NAME: required` for what asks for that trait, by its flavor or its
 * image. In Nova a prefilter, `isolate_aggregates`.
 */
export class IsolatedAggregatesFilter implements HostFilter {
  readonly name = 'IsolatedAggregatesFilter'

  check(host: HostState, { extraSpecs, image }: RequestSpec): Verdict {
    for (const [key, values] of aggregateKeys(host, SCOPE)) {
      const trait = key.slice(SCOPE.length)
      const isAsked = extraSpecs[key] === 'required' || image.properties.traits_required?.includes(trait)
      if (values.includes('required') && !isAsked) {
        return reject(`in an aggregate for what needs the trait ${trait}`)
      }
    }
    return PASS
  }
}
