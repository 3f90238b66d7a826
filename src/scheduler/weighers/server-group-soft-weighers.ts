import type { SelectOptions } from '../select-options.ts'
import type { NamedHostsWeigher } from './weigher.ts'

const NONE: ReadonlyMap<string, number> = new Map()

/** Prefers hosts with members of the instance's group, where its policy is soft-affinity. */
export class ServerGroupSoftAffinityWeigher implements NamedHostsWeigher {
  readonly name = 'ServerGroupSoftAffinityWeigher'

  scores({ group }: SelectOptions): ReadonlyMap<string, number> {
    return group?.policy === 'soft-affinity' ? group.membersOn : NONE
  }
}

/** Prefers hosts with few members of the instance's group, where its policy is soft-anti-affinity. */
export class ServerGroupSoftAntiAffinityWeigher implements NamedHostsWeigher {
  readonly name = 'ServerGroupSoftAntiAffinityWeigher'

  scores({ group }: SelectOptions): ReadonlyMap<string, number> {
    if (group?.policy !== 'soft-anti-affinity') return NONE
    return new Map([...group.membersOn].map(([host, members]) => [host, -members]))
  }
}
