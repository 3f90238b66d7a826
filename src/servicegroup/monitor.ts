import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import { type Clock, type Timer, toTimestamp } from '../common/clock.ts'
import { serviceContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { type IdGenerator, newRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { ComputeRpcApi } from '../compute/rpcapi.ts'
import { isConflict, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Informer } from '../kube/informer.ts'

export interface MonitorOptions {
  /** How long an agent may be silent before it counts as down. Nova: service_down_time, 60 s. */
  readonly serviceDownAfterMs: number
  /** How often silence is looked for. */
  readonly checkIntervalMs: number
}

/**
 * Knows which compute agents are alive, from their heartbeats, and shows it in the ComputeNodes: a write only
 * when an agent goes down or comes back. nova.servicegroup.
 */
export class ServiceMonitor {
  readonly #client: KubeClient
  readonly #computeRpc: Pick<ComputeRpcApi, 'updateAvailableResource'>
  readonly #isHearing: () => boolean
  readonly #ids: IdGenerator
  readonly #nodes: Informer<ComputeNode>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: MonitorOptions
  readonly #lastSeen = new Map<string, number>()
  /** Hosts that report and had no ComputeNode at their last heartbeat. */
  readonly #unknown = new Set<string>()
  /** Since when silence proves something: nobody is heard before the start, and while the broker is away. */
  #hearingSince = 0
  #timer: Timer | undefined
  /** What was told of each host last. */
  readonly #told = new Map<string, boolean>()
  readonly #listeners = new Set<(host: string) => void>()

  constructor(
    deps: {
      readonly client: KubeClient
      readonly nodes: Informer<ComputeNode>
      readonly computeRpc: Pick<ComputeRpcApi, 'updateAvailableResource'>
      /** Whether heartbeats can come in at all. */
      readonly isHearing: () => boolean
      readonly clock: Clock
      readonly ids: IdGenerator
      readonly log: Logger
    },
    options: MonitorOptions,
  ) {
    this.#client = deps.client
    this.#computeRpc = deps.computeRpc
    this.#isHearing = deps.isHearing
    this.#ids = deps.ids
    this.#nodes = deps.nodes
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.servicegroup')
    this.#options = options
  }

  /** Agents that were up count as heard of now: a new monitor gives each the time to report. */
  start(): void {
    this.#hearingSince = this.#clock.now()
    this.#lastSeen.clear()
    this.#timer = this.#clock.every(this.#options.checkIntervalMs, () => this.#check())
    this.#tellChanges()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#unknown.clear()
  }

  /** A heartbeat came. Everybody remembers it; who leads acts on it. */
  seen(host: string): void {
    this.#lastSeen.set(host, this.#clock.now())
    if (this.#told.get(host) !== true) this.#tell(host, true)
    if (!this.#timer) return
    const node = this.#nodes.store.get(host)
    if (node) this.#unknown.delete(host)
    else this.#askForReport(host)
    if (!node || node.spec.forcedDown || node.status?.state === 'up') return
    this.#show(node, 'up', node.status?.state === 'down' ? 'the agent reports again' : 'the agent reports')
  }

  /** Whether the agent of a host reports. */
  isUp(host: string): boolean {
    const now = this.#clock.now()
    const isLate = (since: number): boolean => now - since > this.#options.serviceDownAfterMs
    const seen = this.#lastSeen.get(host)
    if (seen !== undefined && !isLate(seen)) return true
    const wasUp = this.#nodes.store.get(host)?.status?.state === 'up'
    return wasUp && !isLate(this.#hearingSince)
  }

  /** Calls `listener` when a host came up or was found silent. Returns what ends it. */
  onChange(listener: (host: string) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #tellChanges(): void {
    for (const host of this.#nodes.store.keys()) {
      const isUp = this.isUp(host)
      if (this.#told.get(host) !== isUp) this.#tell(host, isUp)
    }
  }

  #tell(host: string, isUp: boolean): void {
    this.#told.set(host, isUp)
    for (const listener of this.#listeners) listener(host)
  }

  /**
   * An agent reports its host when something changed, so one whose ComputeNode was removed is asked: at the second
   * heartbeat only, because the first may be faster than the watch.
   */
  #askForReport(host: string): void {
    if (!this.#unknown.has(host)) {
      this.#unknown.add(host)
      return
    }
    this.#unknown.delete(host)
    this.#log.info('A host that reports has no ComputeNode; asking its agent to report it anew', { host })
    void this.#computeRpc
      .updateAvailableResource(serviceContext(newRequestId(this.#ids)), host)
      .catch((error: unknown) => {
        // The next heartbeats try again.
        this.#log.warn('Could not ask an agent to report its host', { host, error: messageOf(error) })
      })
  }

  #check(): void {
    if (!this.#isHearing()) this.#hearingSince = this.#clock.now()
    this.#tellChanges()
    for (const node of this.#nodes.store.list()) {
      if (node.status?.state !== 'up') continue
      const name = node.metadata.name
      if (node.spec.forcedDown) this.#show(node, 'down', 'forced down')
      else if (!this.isUp(name)) {
        this.#show(node, 'down', `no heartbeat for ${this.#options.serviceDownAfterMs / 1000} s`)
      }
    }
  }

  #show(node: ComputeNode, state: 'up' | 'down', reason: string): void {
    void this.#write(node, state, reason).catch((error: unknown) => {
      // The next heartbeat or check tries again.
      this.#log.warn('Could not record the state of a compute node', {
        host: node.metadata.name,
        state,
        error: messageOf(error),
      })
    })
  }

  async #write(node: ComputeNode, state: 'up' | 'down', stateReason: string): Promise<void> {
    const { name, resourceVersion } = node.metadata
    const stateChangedAt = toTimestamp(this.#clock.now())
    try {
      const written = await this.#client.mergePatch(
        COMPUTE_NODE,
        { name },
        { status: { state, stateReason, stateChangedAt } },
        { subresource: 'status', resourceVersion },
      )
      this.#nodes.observe(written)
      this.#log.info(state === 'up' ? 'Compute node is up' : 'Compute node is down', {
        host: name,
        reason: stateReason,
      })
    } catch (error) {
      // Somebody wrote first: what they wrote comes by the watch, and the next check looks at it.
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }
}
