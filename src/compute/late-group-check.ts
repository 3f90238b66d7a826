import { GroupAffinityViolation } from '../common/errors/scheduling.ts'
import type { ResourceTracker } from './resource-tracker.ts'

/** What of an anti-affinity group a host has to know. */
export interface GroupLimit {
  /** `namespace/name`. */
  readonly group: string
  /** Members that one host may have. */
  readonly most: number
}

/**
 * Tests the policy of an instance's server group once more on the host itself: two schedulers at once, in a change of the
 * leader, cannot see each other's claims. As in Nova it is sure for anti-affinity only, because that is a matter of one
 * host. nova.compute.manager `_validate_instance_group_policy`.
 */
export class LateGroupCheck {
  readonly #host: string
  readonly #tracker: Pick<ResourceTracker, 'holds'>
  readonly #groupOf = new Map<string, string>()

  constructor(
    deps: { readonly tracker: Pick<ResourceTracker, 'holds'> },
    options: { readonly host: string },
  ) {
    this.#tracker = deps.tracker
    this.#host = options.host
  }

  /** An instance that is here is a member. */
  learn(uid: string, group: string | undefined): void {
    if (group !== undefined) this.#groupOf.set(uid, group)
  }

  /**
   * To be called in the same turn as the claim.
   * @throws GroupAffinityViolation when as many members as there may be are here already
   */
  check(uid: string, limit: GroupLimit | undefined): void {
    if (!limit) return
    let members = 0
    for (const [other, group] of this.#groupOf) {
      if (!this.#tracker.holds(other)) this.#groupOf.delete(other)
      else if (group === limit.group && other !== uid) members++
    }
    if (members >= limit.most) {
      throw new GroupAffinityViolation({ host: this.#host, group: limit.group, members, most: limit.most })
    }
    this.#groupOf.set(uid, limit.group)
  }
}
