import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Informer } from '../../kube/informer.ts'
import { type KubeObject, keyOf, type ResourceType } from '../../kube/resource.ts'
import type { GuestRef, LifecycleEvent } from '../driver.ts'
import type { Changes } from '../wait-until.ts'
import { Lifecycle } from './lifecycle.ts'
import { HOST_LABEL, hostLabelValue, INSTANCE_UID_LABEL, isOwnedBy } from './ownership.ts'
import { type Machine, powerStateOf } from './power-state.ts'
import {
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from './resources.ts'

/** Follows the VMs and VMIs of one host, and tells what changes: the driver's eyes. Reads only. */
export class GuestWatch {
  readonly #clock: Clock
  readonly #vms: Informer<VirtualMachine>
  readonly #vmis: Informer<VirtualMachineInstance>
  readonly #lifecycle: Lifecycle
  readonly #listeners = new Map<string, Set<() => void>>()
  #isSynced = false

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: { readonly host: string; readonly onLifecycleEvent: (event: LifecycleEvent) => void },
  ) {
    this.#clock = deps.clock
    const labelSelector = `${HOST_LABEL}=${hostLabelValue(options.host)}`
    const follow = <T extends KubeObject>(type: ResourceType<T>): Informer<T> => {
      const informer = new Informer(deps, { type, labelSelector })
      informer.onChange(({ object }) => this.#changed(object))
      return informer
    }
    this.#vms = follow(VIRTUAL_MACHINE)
    this.#vmis = follow(VIRTUAL_MACHINE_INSTANCE)
    this.#lifecycle = new Lifecycle(options.onLifecycleEvent)
  }

  /** Resolves when everything there is is known. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#vms.start()
    this.#vmis.start()
    await this.#vms.synced(signal)
    await this.#vmis.synced(signal)
    for (const guest of this.guests()) this.#lifecycle.found(guest, powerStateOf(this.find(guest)))
    this.#isSynced = true
  }

  async stop(): Promise<void> {
    await Promise.all([this.#vms.stop(), this.#vmis.stop()])
  }

  /** Whether what is known is current. */
  isHealthy(): boolean {
    return this.#vms.isHealthy() && this.#vmis.isHealthy()
  }

  /** The guests of this host that are ours. */
  guests(): readonly GuestRef[] {
    return this.#vms.store.list().flatMap((vm) => {
      const guest = guestOf(vm)
      return guest && isOwnedBy(vm, guest) ? [guest] : []
    })
  }

  /** What there is of a guest. A later instance of the same name is not it. */
  find(guest: GuestRef): Machine {
    const key = keyOf(guest)
    const vm = this.#vms.store.get(key)
    const vmi = this.#vmis.store.get(key)
    return {
      vm: vm && isOwnedBy(vm, guest) ? vm : undefined,
      vmi: vmi?.metadata.labels?.[INSTANCE_UID_LABEL] === guest.uid ? vmi : undefined,
    }
  }

  /** Takes in the answer to one of our own writes, so that we never act on something older. */
  observe(vm: VirtualMachine): void {
    this.#vms.observe(vm)
  }

  /** What can be waited on for one guest. */
  changesOf(guest: GuestRef): Changes {
    return { clock: this.#clock, onChange: (listener) => this.#onChange(keyOf(guest), listener) }
  }

  #onChange(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key)
    }
  }

  #changed(object: KubeObject): void {
    const guest = guestOf(object)
    if (guest && this.#isSynced) this.#tell(guest)
    for (const listener of this.#listeners.get(keyOf(object.metadata)) ?? []) listener()
  }

  #tell(guest: GuestRef): void {
    const machine = this.find(guest)
    if (machine.vm || machine.vmi) this.#lifecycle.changed(guest, powerStateOf(machine))
    else this.#lifecycle.gone(guest)
  }
}

function guestOf({ metadata }: KubeObject): GuestRef | undefined {
  const uid = metadata.labels?.[INSTANCE_UID_LABEL]
  return uid === undefined ? undefined : { namespace: metadata.namespace ?? '', name: metadata.name, uid }
}
