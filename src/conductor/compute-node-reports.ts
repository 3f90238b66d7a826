import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { Concurrency } from '../common/concurrency.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import type { Logger } from '../common/log.ts'
import { isAlreadyExists, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { ComputeNodeReport } from './rpcapi.ts'

/** A report that waits to be written, and who waits for that. */
interface Waiting {
  readonly ctx: RequestContext
  readonly report: ComputeNodeReport
  /** When its sender gives up, and sends a newer one to whichever conductor: this one must not be written after that. */
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** How many are written at a time: half of the connections, so that instances need not wait behind them. */
const WRITES = 8

/**
 * What agents report of their hosts, as ComputeNodes. Of each host one report is written at a time, and one waits, the newest:
 * however slow the API server is, and however often agents ask again, there is no more to remember.
 */
export class ComputeNodeReports {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #slots = new Concurrency(WRITES)
  /** By host. */
  readonly #newest = new Map<string, Waiting>()
  readonly #writing = new Set<string>()

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.conductor.manager')
  }

  /**
   * Writes what an agent reports of its host. A host that is new becomes a ComputeNode. Resolves when it is written, or when a
   * newer one has taken its place: that one's sender is told what becomes of it.
   * @throws KubernetesUnavailable when its turn did not come before the deadline
   */
  async receive(ctx: RequestContext, report: ComputeNodeReport): Promise<void> {
    const { host } = report
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#newest.get(host)?.resolve()
    const { deadlineMs = Number.POSITIVE_INFINITY } = ctx
    // One that comes after its deadline comes from a clock that is behind: by that it would never be written.
    const isLate = deadlineMs <= this.#clock.now()
    const untilMs = isLate ? Number.POSITIVE_INFINITY : deadlineMs
    this.#newest.set(host, { ctx, report, deadlineMs: untilMs, resolve, reject })
    if (!this.#writing.has(host)) void this.#writeAll(host)
    return promise
  }

  async #writeAll(host: string): Promise<void> {
    this.#writing.add(host)
    while (this.#newest.has(host)) await this.#slots.run(async () => this.#writeNewest(host))
    this.#writing.delete(host)
  }

  async #writeNewest(host: string): Promise<void> {
    const waiting = this.#newest.get(host)
    if (!waiting) return
    this.#newest.delete(host)
    if (waiting.deadlineMs <= this.#clock.now()) {
      const reason = `it did not take the reports of hosts fast enough to write that of ${host} in time`
      waiting.reject(new KubernetesUnavailable({ reason }))
      return
    }
    await this.#write(waiting.ctx, waiting.report).then(waiting.resolve, waiting.reject)
  }

  async #write(ctx: RequestContext, report: ComputeNodeReport): Promise<void> {
    const { host, hostIp = null, ...others } = report
    // A patch leaves what it does not name.
    const facts = { ...others, hostIp }
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
