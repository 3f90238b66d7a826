import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { hostsOf } from '../objects/expected-state.ts'
import type { ComputeRpcApi } from './rpcapi.ts'

/** Tells hosts that an instance which was to come, or to come back, does not: their agents hold claims for it. */
export class FreedHosts {
  readonly #compute: ComputeRpcApi

  constructor(deps: { readonly compute: ComputeRpcApi }) {
    this.#compute = deps.compute
  }

  /** @param except the host whose agent made the change, and knows */
  // oxlint-disable-next-line max-params -- what changed, and by whom
  async tell(
    ctx: RequestContext,
    before: Pick<Instance, 'status'>,
    after: Pick<Instance, 'status'>,
    except?: string,
  ): Promise<void> {
    if (!before.status.migration) return
    const still = new Set([...hostsOf(after.status), except])
    const freed = new Set(hostsOf(before.status).filter((host) => !still.has(host)))
    await Promise.all([...freed].map((host) => this.#compute.updateAvailableResource(ctx, host)))
  }
}
