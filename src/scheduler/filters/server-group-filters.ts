import type { BuildRequest } from '../../objects/build-request.ts'
import type { SelectOptions } from '../select-options.ts'
import type { Limit, NamedHostsFilter } from './filter.ts'

/** Takes out the hosts that have as many members of the instance's anti-affinity group as one may have. */
export class ServerGroupAntiAffinityFilter implements NamedHostsFilter {
  readonly name = 'ServerGroupAntiAffinityFilter'

  limit(_request: BuildRequest, { group }: SelectOptions): Limit | undefined {
    if (group?.policy !== 'anti-affinity') return undefined
    const { name, maxServerPerHost, membersOn } = group
    const full = [...membersOn].filter(([, members]) => members >= maxServerPerHost).map(([host]) => host)
    return { not: new Set(full), reason: `with ${maxServerPerHost} of the group ${name} or more` }
  }
}

/** Lets through only the hosts that have members of the instance's affinity group; any, for the first of them. */
export class ServerGroupAffinityFilter implements NamedHostsFilter {
  readonly name = 'ServerGroupAffinityFilter'

  limit(_request: BuildRequest, { group }: SelectOptions): Limit | undefined {
    if (group?.policy !== 'affinity' || group.membersOn.size === 0) return undefined
    return { only: new Set(group.membersOn.keys()), reason: `without the group ${group.name}` }
  }
}
