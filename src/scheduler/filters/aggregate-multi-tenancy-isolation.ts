import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { aggregateKeys } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

/**
 * Takes out hosts of aggregates that are for other projects: metadata `filter_tenant_id`, or keys that begin so, name
 * the namespaces that may come. Hosts without it take anybody's.
 */
export class AggregateMultiTenancyIsolation implements HostFilter {
  readonly name = 'AggregateMultiTenancyIsolation'
  readonly reads = ['project'] as const

  check(host: HostState, { project = '' }: RequestSpec): Verdict {
    const tenants = [...aggregateKeys(host, 'filter_tenant_id').values()].flat()
    return tenants.length === 0 || tenants.includes(project) ? PASS : reject('for other projects')
  }
}
