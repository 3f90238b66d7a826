import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { Informer } from '../kube/informer.ts'
import type { FlavorSize } from '../objects/build-request.ts'
import { type Amounts, type HostState, NOTHING, amountsOf, minus, plus } from './host-state.ts'

/** What counts where a ComputeNode says nothing. Nova: initial_cpu_allocation_ratio and friends, reserved_host_*. */
export interface HostDefaults {
  readonly ratios: HostState['ratios']
  readonly reserved: Amounts
}

interface Booking {
  readonly host: string
  readonly amounts: Amounts
}

/** Whether an agent reports; `servicegroup/` answers. */
export interface Liveness {
  isUp(host: string): boolean
}

/**
 * Keeps what is booked on every host: the instances that are bound there, and the claims of decisions whose
 * binding is still being written. nova.scheduler.host_manager.HostManager.
 */
export class HostManager {
  readonly #nodes: Informer<ComputeNode>
  readonly #instances: Informer<Instance>
  readonly #liveness: Liveness
  readonly #defaults: HostDefaults
  readonly #bookings = new Map<string, Booking>()
  readonly #claims = new Map<string, Booking>()
  readonly #used = new Map<string, Amounts>()
  #unsubscribe: (() => void) | undefined

  constructor(
    deps: {
      readonly nodes: Informer<ComputeNode>
      readonly instances: Informer<Instance>
      readonly liveness: Liveness
    },
    defaults: HostDefaults,
  ) {
    this.#nodes = deps.nodes
    this.#instances = deps.instances
    this.#liveness = deps.liveness
    this.#defaults = defaults
  }

  /** Begins to follow bindings. The informers are started and stopped by whoever owns them. */
  start(): void {
    this.#unsubscribe = this.#instances.onChange((change) => {
      this.#book(change.object, change.type === 'deleted')
    })
    for (const instance of this.#instances.store.list()) this.#book(instance, false)
  }

  stop(): void {
    this.#unsubscribe?.()
  }

  /** Every host that has reported, as it is this moment, in the order of their names. */
  snapshot(): readonly HostState[] {
    return this.#nodes.store
      .list()
      .flatMap((node) => this.#stateOf(node) ?? [])
      .sort((a, b) => (a.host < b.host ? -1 : 1))
  }

  /**
   * Books an instance on a host before its binding is written, so that the next decision sees it. To be called
   * in the same turn as the decision. The claim gives way to the binding once that is seen.
   */
  claim(uid: string, host: string, flavor: FlavorSize): void {
    const before = this.#effective(uid)
    this.#claims.set(uid, { host, amounts: amountsOf(flavor) })
    this.#move(before, this.#effective(uid))
  }

  /** Gives a claim back that did not become a binding, or ends one that did. */
  settle(uid: string): void {
    const before = this.#effective(uid)
    this.#claims.delete(uid)
    this.#move(before, this.#effective(uid))
  }

  #book(instance: Instance, gone: boolean): void {
    const uid = instance.metadata.uid ?? ''
    const { host, flavor, vmState } = instance.status
    const before = this.#effective(uid)
    if (gone || !host || !flavor || vmState === 'deleted') this.#bookings.delete(uid)
    else this.#bookings.set(uid, { host, amounts: amountsOf(flavor) })
    this.#move(before, this.#effective(uid))
  }

  #effective(uid: string): Booking | undefined {
    return this.#claims.get(uid) ?? this.#bookings.get(uid)
  }

  #move(before: Booking | undefined, after: Booking | undefined): void {
    if (before === after) return
    if (before) this.#used.set(before.host, minus(this.#usedOn(before.host), before.amounts))
    if (after) this.#used.set(after.host, plus(this.#usedOn(after.host), after.amounts))
  }

  #usedOn(host: string): Amounts {
    return this.#used.get(host) ?? NOTHING
  }

  #stateOf(node: ComputeNode): HostState | undefined {
    const { spec, status } = node
    if (!status?.inventory) return undefined
    const host = node.metadata.name
    const { ratios, reserved } = this.#defaults
    const silent = !this.#liveness.isUp(host)
    return {
      host,
      enabled: !spec.disabled,
      disabledReason: spec.disabledReason,
      up: !spec.forcedDown && !silent,
      downReason: spec.forcedDown ? 'forced down' : silent ? 'the agent does not report' : undefined,
      availabilityZone: status.availabilityZone ?? '',
      hypervisorType: status.hypervisorType,
      architecture: status.architecture,
      inventory: status.inventory,
      reserved: { ...reserved, ...spec.reserved },
      ratios: { ...ratios, ...spec.allocationRatios },
      used: this.#usedOn(host),
    }
  }
}
