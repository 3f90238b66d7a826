/** The server group of an instance, as a decision sees it. nova.objects.InstanceGroup. */
export interface GroupState {
  readonly name: string
  readonly policy: 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'
  /** Members that one host may have under anti-affinity. */
  readonly maxServerPerHost: number
  /** How many other members each host has. */
  readonly membersOn: ReadonlyMap<string, number>
}

/** What is asked of one decision besides the request. */
export interface SelectOptions {
  /** Hosts that are not asked: they failed to build this instance, or it is to leave them. */
  readonly ignoreHosts: readonly string[]
  /** Why, where they did not fail to build it. */
  readonly ignoreReason?: string | undefined
  /** Hosts to take, in this order, before any other that passes. */
  readonly preferHosts: readonly string[]
  readonly maxAlternates: number
  readonly group?: GroupState | undefined
  /** Hosts of the instances that the hint `different_host` names. */
  readonly differentHosts?: readonly string[] | undefined
  /** Hosts of the instances that the hint `same_host` names. */
  readonly sameHosts?: readonly string[] | undefined
}
