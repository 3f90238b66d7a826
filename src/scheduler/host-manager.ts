import type { ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { Informer } from '../kube/informer.ts'
import { bookingsOf } from '../objects/bookings.ts'
import type { BuildRequest, FlavorSize } from '../objects/build-request.ts'
import type { HostFacts } from './aggregate-directory.ts'
import { aggregateMultipliers, aggregateRatios, aggregateReserves } from './aggregate-settings.ts'
import { BookingLedger, type Owner, type ProjectUsage } from './booking-ledger.ts'
import { FailedBuilds } from './failed-builds.ts'
import { type Amounts, freeOn, type HostState, plus } from './host-state.ts'
import type { ImageUsage } from './image-usage.ts'
import type { OtherUsage } from './pod-usage.ts'

/** What counts where a ComputeNode says nothing. Nova: initial_cpu_allocation_ratio and friends, reserved_host_*. */
export interface HostDefaults {
  readonly ratios: HostState['ratios']
  readonly reserved: Amounts
}

/** Whether an agent reports; `servicegroup/` answers. */
export interface Liveness {
  isUp(host: string): boolean
  /** Calls `listener` when a host came up or went down. Returns what ends it. */
  onChange(listener: (host: string) => void): () => void
}

/** A host that is there with its state, or one that is gone. */
export type HostChange = { readonly host: string; readonly state: HostState | undefined }

/**
 * Keeps the state of every host that has reported: what its agent said, what is booked on it by instances that are
 * bound and by claims of decisions whose binding is still being written. nova.scheduler.host_manager.HostManager.
 */
export class HostManager {
  readonly #nodes: Informer<ComputeNode>
  readonly #instances: Informer<Instance>
  readonly #liveness: Liveness
  readonly #facts: HostFacts
  readonly #others: OtherUsage
  readonly #images: ImageUsage | undefined
  readonly #failedBuilds = new FailedBuilds()
  readonly #defaults: HostDefaults
  readonly #ledger = new BookingLedger((host) => this.#refresh(host))
  readonly #states = new Map<string, HostState>()
  readonly #listeners = new Set<(change: HostChange) => void>()
  #unsubscribe: (() => void)[] = []

  constructor(
    deps: {
      readonly nodes: Informer<ComputeNode>
      readonly instances: Informer<Instance>
      readonly liveness: Liveness
      readonly facts: HostFacts
      readonly others: OtherUsage
      /** Only where a weigher asks for it. */
      readonly images?: ImageUsage | undefined
    },
    defaults: HostDefaults,
  ) {
    this.#nodes = deps.nodes
    this.#instances = deps.instances
    this.#liveness = deps.liveness
    this.#facts = deps.facts
    this.#others = deps.others
    this.#images = deps.images
    this.#defaults = defaults
  }

  /** Begins to follow hosts and bindings. The informers are started and stopped by whoever owns them. */
  start(): void {
    this.#unsubscribe = [
      this.#nodes.onChange(({ object }) => this.#refresh(object.metadata.name)),
      this.#instances.onChange(({ object, old, type }) => {
        const failing = this.#failedBuilds.follow(object, old)
        this.#book(object, type === 'deleted')
        for (const host of failing) this.#refresh(host)
      }),
      this.#liveness.onChange((host) => this.#refresh(host)),
      this.#facts.onChange((host) => this.#refresh(host)),
      this.#others.onChange((host) => this.#refresh(host)),
      ...(this.#images ? [this.#images.onChange((host) => this.#refresh(host))] : []),
    ]
    for (const instance of this.#instances.store.list()) this.#book(instance, false)
    for (const name of this.#nodes.store.keys()) this.#refresh(name)
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  /** Every host that has reported, as it is this moment, in the order of their names. */
  snapshot(): readonly HostState[] {
    return [...this.#states.values()].sort((a, b) => (a.host < b.host ? -1 : 1))
  }

  /** A host as it is this moment; silence is noticed here even before the monitor told of it. */
  stateOf(host: string): HostState | undefined {
    const known = this.#states.get(host)
    if (known?.up && !this.#liveness.isUp(host)) this.#refresh(host)
    return this.#states.get(host)
  }

  /** Tells `listener` of every host that is there, and of each that changes, comes or goes. Returns what ends it. */
  follow(listener: (change: HostChange) => void): () => void {
    this.#listeners.add(listener)
    for (const state of this.#states.values()) listener({ host: state.host, state })
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /**
   * Books an instance on a host before its binding is written, so that the next decision sees it. To be called
   * in the same turn as the decision. It counts besides what the instance holds already, for one that moves, and
   * gives way to the binding once that is seen.
   *
   * @param owner whose it is; need not be given where the instance holds something already
   */
  // oxlint-disable-next-line max-params -- a claim is just these
  claim(uid: string, host: string, flavor: FlavorSize, owner?: Owner): void {
    this.#ledger.claim(uid, { host, amounts: this.#ledger.sizeOf(flavor), isBusy: true }, owner)
  }

  /** Gives a claim back that did not become a binding, or ends one that did. */
  settle(uid: string): void {
    this.#ledger.settle(uid)
  }

  /** How many members of a group each host has, without one of them. To be used at once. */
  membersOf(group: string, without?: string): ReadonlyMap<string, number> {
    return this.#ledger.membersOf(group, without)
  }

  /** How many members of a group have a host. */
  sizeOfGroup(group: string): number {
    return this.#ledger.sizeOfGroup(group)
  }

  /** What the instances of a namespace hold, without one of them. */
  usageOf(project: string, without?: string): ProjectUsage {
    return this.#ledger.usageOf(project, without)
  }

  /** The hosts of an instance, by `namespace/name`. */
  hostsOf(instance: string): readonly string[] {
    const uid = this.#instances.store.get(instance)?.metadata.uid
    return uid === undefined ? [] : this.#ledger.hostsOf(uid)
  }

  /** What is booked on a host by instances and claims. */
  bookedOn(host: string): Amounts {
    return this.#ledger.on(host).amounts
  }

  /** What may still be booked on a host; less than nothing where more is booked than there is. */
  freeOn(host: string): Amounts | undefined {
    const state = this.#states.get(host)
    return state && freeOn(state)
  }

  #book(instance: Instance, gone: boolean): void {
    const { uid = '', namespace: project = 'default' } = instance.metadata
    const bookings = gone ? [] : bookingsOf(instance)
    const isBusy = isWorkedOn(instance)
    const group = instance.spec.schedulerHints?.group
    this.#ledger.book(
      uid,
      bookings.map(({ host, flavor }) => ({ host, amounts: this.#ledger.sizeOf(flavor), isBusy })),
      { project, ...(group !== undefined && { group: groupKey(project, group) }) },
    )
  }

  #refresh(host: string): void {
    const node = this.#nodes.store.get(host)
    const state = node && this.#stateFrom(node)
    if (!state && !this.#states.has(host)) return
    if (state) this.#states.set(host, state)
    else this.#states.delete(host)
    for (const listener of this.#listeners) listener({ host, state })
  }

  #stateFrom(node: ComputeNode): HostState | undefined {
    const { spec, status } = node
    if (!status?.inventory) return undefined
    const host = node.metadata.name
    const { ratios, reserved } = this.#defaults
    const aggregates = this.#facts.aggregatesOf(host)
    const silent = !this.#liveness.isUp(host)
    const { amounts, instances, ioOps } = this.#ledger.on(host)
    return {
      host,
      enabled: !spec.disabled,
      disabledReason: spec.disabledReason,
      up: !spec.forcedDown && !silent,
      downReason: spec.forcedDown ? 'forced down' : silent ? 'the agent does not report' : undefined,
      availabilityZone: this.#facts.zoneOf(host) ?? status.availabilityZone ?? '',
      hypervisorType: status.hypervisorType,
      architecture: status.architecture,
      hostIp: status.hostIp,
      inventory: status.inventory,
      // What other Pods ask for is as good as reserved: no guest gets it, and no ratio applies to it.
      reserved: plus(
        { ...aggregateReserves({ aggregates }, reserved), ...spec.reserved },
        this.#others.on(host),
      ),
      ratios: { ...aggregateRatios({ aggregates }, ratios), ...spec.allocationRatios },
      used: amounts,
      aggregates,
      labels: this.#facts.labelsOf(host),
      traits: spec.traits ?? [],
      instances,
      ioOps,
      failedBuilds: this.#failedBuilds.on(host),
      imageProperties: this.#images?.on(host),
      weightMultipliers: aggregates.length === 0 ? undefined : aggregateMultipliers({ aggregates }),
    }
  }
}

/** Groups of the same name in other namespaces are others. */
export function groupKey(namespace: string, group: string): string {
  return `${namespace}/${group}`
}

/** Whose the instance of a request is. */
export function ownerOf({ instance: { namespace }, hints }: BuildRequest): Owner {
  return {
    project: namespace,
    ...(hints?.group !== undefined && { group: groupKey(namespace, hints.group) }),
  }
}

/** Nova: io_workload counts what is being built, resized, rebuilt, copied, rescued or unshelved. */
function isWorkedOn({ status }: Instance): boolean {
  const { vmState, taskState } = status
  return vmState === 'building' || (taskState !== undefined && BUSY_TASKS.has(taskState))
}

const BUSY_TASKS: ReadonlySet<string> = new Set([
  'resize_prep',
  'resize_migrating',
  'rebuilding',
  'image_snapshot',
  'rescuing',
  'unshelving',
])
