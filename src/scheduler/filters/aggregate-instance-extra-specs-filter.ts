import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { aggregateValues } from './aggregate-metadata.ts'
import { matchesSpec } from './extra-specs-ops.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

const SCOPE = 'aggregate_instance_extra_specs:'

/**
 * Takes out hosts whose aggregates do not have what the flavor's extra specs ask for: those in the scope
 * `aggregate_instance_extra_specs:`, and those in none.
 */
export class AggregateInstanceExtraSpecsFilter implements HostFilter {
  readonly name = 'AggregateInstanceExtraSpecsFilter'

  check(host: HostState, { extraSpecs }: RequestSpec): Verdict {
    for (const [name, wanted] of Object.entries(extraSpecs)) {
      const isScoped = name.startsWith(SCOPE)
      if (!isScoped && name.includes(':')) continue
      const key = isScoped ? name.slice(SCOPE.length) : name
      if (!aggregateValues(host, key).some((value) => matchesSpec(value, wanted))) {
        return reject(`in no aggregate with ${key} ${wanted}`)
      }
    }
    return PASS
  }
}
