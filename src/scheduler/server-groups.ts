import { SERVER_GROUP, type ServerGroup } from '../apis/v1alpha1/server-group.ts'
import { InstanceGroupNotFound } from '../common/errors/scheduling.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Informer } from '../kube/informer.ts'
import type { BuildRequest } from '../objects/build-request.ts'
import { isNotThere } from '../objects/not-there.ts'
import { groupKey, type HostManager } from './host-manager.ts'
import type { GroupState } from './select-options.ts'

/** Knows the server groups, and which hosts have their members. */
export class ServerGroups {
  readonly #client: Pick<KubeClient, 'get'>
  readonly #groups: Informer<ServerGroup>
  readonly #hosts: HostManager

  constructor(deps: {
    readonly client: Pick<KubeClient, 'get'>
    readonly groups: Informer<ServerGroup>
    readonly hosts: HostManager
  }) {
    this.#client = deps.client
    this.#groups = deps.groups
    this.#hosts = deps.hosts
  }

  /**
   * Waits until the group of a request is known: one that is made together with its first member may not have been
   * seen yet.
   * @throws InstanceGroupNotFound
   */
  async ready({ instance: { namespace }, hints }: BuildRequest): Promise<void> {
    const name = hints?.group
    if (name === undefined || this.#groups.store.get(groupKey(namespace, name))) return
    try {
      this.#groups.observe(await this.#client.get(SERVER_GROUP, { namespace, name }))
    } catch (error) {
      throw isNotThere(error, name) ? new InstanceGroupNotFound({ group: name }) : error
    }
  }

  /** The group of a request and where its other members are this moment; `undefined` where it has none. */
  stateFor({ instance: { namespace, uid }, hints }: BuildRequest): GroupState | undefined {
    if (hints?.group === undefined) return undefined
    const key = groupKey(namespace, hints.group)
    const group = this.#groups.store.get(key)
    return group && toGroupState(group, this.#hosts.membersOf(key, uid))
  }
}

function toGroupState({ metadata, spec }: ServerGroup, membersOn: ReadonlyMap<string, number>): GroupState {
  return {
    name: metadata.name,
    policy: spec.policy,
    maxServerPerHost: spec.rules?.maxServerPerHost ?? 1,
    membersOn,
  }
}
