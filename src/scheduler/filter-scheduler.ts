import type { BuildRequest } from '../objects/build-request.ts'
import type { HostManager } from './host-manager.ts'
import { HostIndex } from './index/host-index.ts'
import type { Selection } from './placement.ts'
import type { Policy } from './select-destination.ts'
import type { SelectOptions } from './select-options.ts'

/** Decides on which host an instance goes, on the hosts as they are this moment. Books nothing. */
export class FilterScheduler {
  readonly #hosts: HostManager
  readonly #policy: Policy
  #index: HostIndex
  #unsubscribe: (() => void) | undefined

  constructor(deps: { readonly hosts: HostManager }, policy: Policy) {
    this.#hosts = deps.hosts
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

  /** nova.scheduler.manager `select_destinations`. From here to the claim nothing may come in between: no await. */
  select(request: BuildRequest, options: SelectOptions): Selection {
    for (;;) {
      const selection = this.#index.select(request, options)
      // An agent can have fallen silent since the monitor last looked.
      if (!selection.host || this.#hosts.stateOf(selection.host.host) === selection.host) return selection
    }
  }
}
