import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Controller } from '../../kube/controller.ts'
import { Informer } from '../../kube/informer.ts'
import { keyOf, type ObjectRef } from '../../kube/resource.ts'
import { isFinal } from '../../virt/kubevirt/power-state.ts'
import {
  NODE,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { Addresses } from './addresses.ts'
import { type Behaviour, GUEST_ANNOTATION, type GuestWord } from './behaviour.ts'
import { Launchers } from './launchers.ts'
import { MachineWrites } from './machine-writes.ts'
import { Machines } from './machines.ts'
import { Migrations } from './migrations.ts'
import { Snapshots } from './snapshots.ts'
import type { SubresourceAnswer } from './subresource-answer.ts'
import { Subresources } from './subresources.ts'
import { VirtHandler } from './virt-handler.ts'

export interface KubeVirtStandInOptions {
  /** From the start of a guest until it runs. Default 500 ms. */
  readonly bootMs?: number
  /** From being asked to shut down until it is off. Default 200 ms. */
  readonly shutdownMs?: number
  /** How long a guest that is to be moved may find no other node. Default five minutes. */
  readonly unschedulableMs?: number
  /** How guests behave, beside what annotations say of them. */
  readonly behaviour?: (vm: VirtualMachine | undefined) => Partial<Behaviour>
  /** Whether guests have launcher Pods, with a log of their console where nodes have a `Kubelet`. Default: they have not. */
  readonly hasLaunchers?: boolean
  /** How many VMs are worked on at a time. Default 16. */
  readonly concurrency?: number
}

/**
 * Stands in for KubeVirt's controllers on any API server that serves its kinds: VMs are started and stopped
 * as KubeVirt would, with nobody inside. With no time to boot and to shut down it makes the fewest writes: a
 * VMI is created running, nothing has finalizers, and each start and stop costs one VM status.
 */
export class KubeVirtStandIn {
  readonly #client: KubeClient
  readonly #vms: Informer<VirtualMachine>
  readonly #vmis: Informer<VirtualMachineInstance>
  readonly #nodes: Informer<NonNullable<(typeof NODE)['object']>>
  readonly #controller: Controller
  readonly #handler: VirtHandler
  readonly #addresses = new Addresses()
  readonly #subresources: Subresources
  readonly #migrations: Migrations
  readonly #snapshots: Snapshots
  readonly #launchers: Launchers | undefined

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: KubeVirtStandInOptions = {},
  ) {
    const { client, clock } = deps
    const log = deps.log.named('dev.kubevirt')
    const { bootMs = 500, shutdownMs = 200, unschedulableMs = 300_000, concurrency = 16 } = options
    this.#client = client
    const informerDeps = { client, clock, log }
    this.#vms = new Informer(informerDeps, { type: VIRTUAL_MACHINE })
    this.#vmis = new Informer(informerDeps, { type: VIRTUAL_MACHINE_INSTANCE })
    this.#nodes = new Informer(informerDeps, { type: NODE })
    this.#handler = new VirtHandler(
      { clock, addresses: this.#addresses, nodes: () => this.#nodes.store.list() },
      { bootMs, shutdownMs, behaviour: options.behaviour ?? (() => ({})) },
    )
    const writes = new MachineWrites({ client, vms: this.#vms, vmis: this.#vmis })
    this.#launchers = options.hasLaunchers === true ? new Launchers({ client, log }) : undefined
    const launchers = this.#launchers
    const machines = new Machines(
      { vms: this.#vms, vmis: this.#vmis, writes, handler: this.#handler, launchers, clock, log },
      { isFast: bootMs === 0 && shutdownMs === 0 },
    )
    this.#controller = new Controller(
      { clock, log },
      { name: 'kubevirt', concurrency, reconcile: async (key) => machines.reconcile(key) },
    )
    this.#migrations = new Migrations(
      {
        ...informerDeps,
        vms: this.#vms.store,
        vmis: this.#vmis.store,
        nodes: () => this.#nodes.store.list(),
        writes,
        handler: this.#handler,
      },
      { moveMs: bootMs, unschedulableMs },
    )
    this.#snapshots = new Snapshots({ ...informerDeps, vms: this.#vms.store, handler: this.#handler })
    this.#subresources = new Subresources({ client, clock })
    this.#follow()
  }

  /** Resolves when everything there is is known and being worked on. */
  async start(signal?: AbortSignal): Promise<void> {
    const informers = [this.#vms, this.#vmis, this.#nodes]
    for (const informer of informers) informer.start()
    for (const informer of informers) await informer.synced(signal)
    this.#controller.start()
    await Promise.all([this.#migrations.start(signal), this.#snapshots.start(signal)])
  }

  async stop(): Promise<void> {
    await Promise.all([this.#controller.stop(), this.#migrations.stop(), this.#snapshots.stop()])
    await Promise.all([this.#vms.stop(), this.#vmis.stop(), this.#nodes.stop()])
    await this.#launchers?.settled()
  }

  /** The guest shuts itself down. */
  async guestPowersOff(ref: ObjectRef): Promise<void> {
    await this.setGuest(ref, 'poweroff')
  }

  /** The guest crashes. */
  async guestCrashes(ref: ObjectRef): Promise<void> {
    await this.setGuest(ref, 'crash')
  }

  /** What `kubectl annotate vmi NAME dev.kilonova/guest=WORD` does. */
  async setGuest(ref: ObjectRef, word: GuestWord): Promise<void> {
    const patch = { metadata: { annotations: { [GUEST_ANNOTATION]: word } } }
    await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, patch)
  }

  /**
   * Answers requests under /apis/subresources.kubevirt.io/v1, which KubeVirt serves beside the API server.
   * Undefined for any other path.
   */
  async handleSubresource(
    method: string,
    path: string,
    body: unknown,
  ): Promise<SubresourceAnswer | undefined> {
    return this.#subresources.handle(method, path, body)
  }

  #follow(): void {
    this.#vms.onChange(({ object }) => {
      const { namespace, name } = object.metadata
      this.#controller.enqueue(keyOf(object.metadata))
      this.#snapshots.lookAgain(namespace, name)
    })
    this.#vmis.onChange(({ type, object }) => {
      if (type === 'deleted') {
        this.#handler.forget(object)
        this.#launchers?.remove(object)
      } else this.#addresses.keep(object)
      this.#migrations.lookAgain(object.metadata.namespace, object.metadata.name)
      this.#controller.enqueue(keyOf(object.metadata))
    })
    // A node that comes up, or is told to behave, may be what a guest waits for.
    this.#nodes.onChange(({ type, object, old }) => {
      if (type === 'updated' && !isNewsForGuests(object, old)) return
      this.#migrations.lookAgain()
      for (const vmi of this.#vmis.store.list()) {
        const isWaiting = vmi.status?.phase !== 'Running' && !isFinal(vmi)
        if (isWaiting) this.#controller.enqueue(keyOf(vmi.metadata))
      }
    })
  }
}

type Node = NonNullable<(typeof NODE)['object']>

/** Not its heartbeat. */
function isNewsForGuests(node: Node, old: Node | undefined): boolean {
  const newsOf = (each: Node | undefined): string =>
    JSON.stringify([
      each?.metadata.labels,
      each?.metadata.annotations,
      each?.spec?.unschedulable,
      each?.status?.conditions?.map(({ type, status }) => [type, status]),
    ])
  return newsOf(node) !== newsOf(old)
}
