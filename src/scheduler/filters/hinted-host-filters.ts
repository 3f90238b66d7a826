import type { BuildRequest } from '../../objects/build-request.ts'
import type { SelectOptions } from '../select-options.ts'
import type { Limit, NamedHostsFilter } from './filter.ts'

/** Takes out the hosts of the instances that the hint different_host names. */
export class DifferentHostFilter implements NamedHostsFilter {
  readonly name = 'DifferentHostFilter'

  limit({ hints }: BuildRequest, { differentHosts = [] }: SelectOptions): Limit | undefined {
    const names = hints?.different_host ?? []
    if (names.length === 0) return undefined
    return { not: new Set(differentHosts), reason: `with one of ${names.join(', ')}` }
  }
}

/** Lets through only the hosts of the instances that the hint same_host names. */
export class SameHostFilter implements NamedHostsFilter {
  readonly name = 'SameHostFilter'

  limit({ hints }: BuildRequest, { sameHosts = [] }: SelectOptions): Limit | undefined {
    const names = hints?.same_host ?? []
    if (names.length === 0) return undefined
    return { only: new Set(sameHosts), reason: `without any of ${names.join(', ')}` }
  }
}
