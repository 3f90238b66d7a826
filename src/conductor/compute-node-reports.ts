import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { ComputeNodeReport } from './rpcapi.ts'

/** What agents report of their hosts, as ComputeNodes. */
export class ComputeNodeReports {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.conductor.manager')
  }

  /** Writes what an agent reports of its host. A host that is new becomes a ComputeNode. */
  async receive(ctx: RequestContext, report: ComputeNodeReport): Promise<void> {
    const { host, ...facts } = report
    const reportedAt = toTimestamp(this.#clock.now())
    const write = async (status: object): Promise<void> => {
      await this.#client.mergePatch(COMPUTE_NODE, { name: host }, { status }, { subresource: 'status' })
    }
    try {
      await write({ ...facts, reportedAt })
    } catch (error) {
      if (!isNotFound(error)) throw error
      await this.#register(host)
      // From here on the service group says whether it is up.
      await write({ ...facts, reportedAt, state: 'up' })
      this.#log.with(ctx).info('Registered compute node', { host, ...report.inventory })
    }
  }

  async #register(host: string): Promise<void> {
    const node: ComputeNode = {
      apiVersion: apiVersionOf(COMPUTE_NODE),
      kind: COMPUTE_NODE.kind,
      metadata: { name: host },
      spec: { disabled: false, forcedDown: false, allocationRatios: {}, reserved: {} },
    }
    try {
      await this.#client.create(COMPUTE_NODE, node)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}
