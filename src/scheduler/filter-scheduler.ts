import type { BuildRequest } from '../objects/build-request.ts'
import { groupKey, type HostManager } from './host-manager.ts'
import { HostIndex } from './index/host-index.ts'
import type { Selection } from './placement.ts'
import type { Quotas } from './quotas.ts'
import type { Policy } from './select-destination.ts'
import type { SelectOptions } from './select-options.ts'
import type { ServerGroups } from './server-groups.ts'

/** What is asked of a decision besides what the request itself leads to. */
export type Asked = Pick<SelectOptions, 'ignoreHosts' | 'ignoreReason' | 'preferHosts' | 'maxAlternates'>

/** Decides on which host an instance goes, on the hosts as they are this moment. Books nothing. */
export class FilterScheduler {
  readonly #hosts: HostManager
  readonly #groups: ServerGroups
  readonly #quotas: Quotas
  readonly #policy: Policy
  #index: HostIndex
  #unsubscribe: (() => void) | undefined

  constructor(
    deps: { readonly hosts: HostManager; readonly groups: ServerGroups; readonly quotas: Quotas },
    policy: Policy,
  ) {
    this.#hosts = deps.hosts
    this.#groups = deps.groups
    this.#quotas = deps.quotas
    this.#policy = policy
    this.#index = new HostIndex(policy)
  }

  /** Begins to follow the hosts; before that there are none. */
  start(): void {
    const index = new HostIndex(this.#policy)
    this.#index = index
    this.#unsubscribe = this.#hosts.follow(({ host, state }) => {
      if (state) index.put(state)
      else index.remove(host)
    })
  }

  stop(): void {
    this.#unsubscribe?.()
  }

  /**
   * Waits until what the request names is known. To be called before {@link select}.
   * @throws InstanceGroupNotFound
   */
  async ready(request: BuildRequest): Promise<void> {
    await this.#groups.ready(request)
  }

  /**
   * Whether the namespace may have one more such instance. To be called in the same turn as the claim.
   * @throws OverQuota
   */
  checkQuota(request: BuildRequest): void {
    this.#quotas.check(request)
  }

  /** nova.scheduler.manager `select_destinations`. From here to the claim nothing may come in between: no await. */
  select(request: BuildRequest, asked: Asked): Selection {
    const options = {
      ...asked,
      group: this.#groups.stateFor(request),
      differentHosts: this.#hostsOf(request, request.hints?.different_host),
      sameHosts: this.#hostsOf(request, request.hints?.same_host),
    }
    for (;;) {
      const selection = this.#index.select(request, options)
      // An agent can have fallen silent since the monitor last looked.
      if (!selection.host || this.#hosts.stateOf(selection.host.host) === selection.host) return selection
    }
  }

  /** What any host may have of the group of an instance, where that is a matter of one host: the agent tests it. */
  groupLimitFor(request: BuildRequest): { readonly group: string; readonly most: number } | undefined {
    const group = this.#groups.stateFor(request)
    if (group?.policy !== 'anti-affinity') return undefined
    return { group: groupKey(request.instance.namespace, group.name), most: group.maxServerPerHost }
  }

  #hostsOf({ instance }: BuildRequest, names: readonly string[] | undefined): readonly string[] | undefined {
    return names?.flatMap((name) => this.#hosts.hostsOf(`${instance.namespace}/${name}`))
  }
}
