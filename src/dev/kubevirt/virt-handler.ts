import type { Clock } from '../../common/clock.ts'
import type {
  NetworkInterfaceStatus,
  Node,
  VirtualMachine,
  VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import type { Addresses } from './addresses.ts'
import { type Behaviour, behaviourOf } from './behaviour.ts'
import { type GuestStep, guestStepOf } from './guest-step.ts'
import { fitOf } from './placement.ts'

export interface VirtHandlerOptions {
  readonly bootMs: number
  readonly shutdownMs: number
  /** What a test or a demonstration wants of guests, beside the annotations. */
  readonly behaviour: (vm: VirtualMachine | undefined) => Partial<Behaviour>
}

/** Knows since when guests boot and shut down, and so what becomes of them next. */
export class VirtHandler {
  readonly #clock: Clock
  readonly #addresses: Addresses
  readonly #nodes: () => readonly Node[]
  readonly #options: VirtHandlerOptions
  /** When a VMI was first seen, and first seen to be deleted, by uid. */
  readonly #madeMs = new Map<string, number>()
  readonly #stoppedMs = new Map<string, number>()

  constructor(
    deps: { readonly clock: Clock; readonly addresses: Addresses; readonly nodes: () => readonly Node[] },
    options: VirtHandlerOptions,
  ) {
    this.#clock = deps.clock
    this.#addresses = deps.addresses
    this.#nodes = deps.nodes
    this.#options = options
  }

  behaviourOf(vm: VirtualMachine | undefined, vmi?: VirtualMachineInstance): Behaviour {
    const nodeName = vmi?.status?.nodeName
    const node = this.#nodes().find(({ metadata }) => metadata.name === nodeName)
    return { ...behaviourOf({ vm, vmi, node }), ...this.#options.behaviour(vm) }
  }

  /** What becomes of the guest next. */
  stepOf(vm: VirtualMachine | undefined, vmi: VirtualMachineInstance): GuestStep {
    const nowMs = this.#clock.now()
    const uid = vmi.metadata.uid
    const isDeleting = vmi.metadata.deletionTimestamp !== undefined
    const fit = fitOf(vmi.spec, this.#nodes())
    // Before it has a node, the one that it will have counts.
    const nodeName = vmi.status?.nodeName ?? ('node' in fit ? fit.node.metadata.name : undefined)
    const placed = { ...vmi, status: { ...vmi.status, ...(nodeName !== undefined && { nodeName }) } }
    return guestStepOf({
      vmi,
      behaviour: this.behaviourOf(vm, placed),
      fit,
      nowMs,
      ageMs: nowMs - since(this.#madeMs, uid, nowMs),
      stoppingMs: isDeleting ? nowMs - since(this.#stoppedMs, uid, nowMs) : 0,
      bootMs: this.#options.bootMs,
      shutdownMs: this.#options.shutdownMs,
      reserveAddress: () => this.#addresses.reserve(),
    })
  }

  /** The guest as far as it gets in no time at all: a VMI may be created like that. */
  settled(vm: VirtualMachine, vmi: VirtualMachineInstance): VirtualMachineInstance {
    const step = this.stepOf(vm, vmi)
    return step.kind === 'write' ? this.settled(vm, { ...vmi, status: step.status }) : vmi
  }

  /** The interfaces of a guest whose Pod is another one now. */
  newAddressOf(vmi: VirtualMachineInstance): readonly NetworkInterfaceStatus[] {
    const ipAddress = this.#addresses.reserve()
    return (vmi.status?.interfaces ?? []).map((each) => ({ ...each, ipAddress, ipAddresses: [ipAddress] }))
  }

  forget(vmi: VirtualMachineInstance): void {
    const uid = vmi.metadata.uid ?? ''
    this.#madeMs.delete(uid)
    this.#stoppedMs.delete(uid)
    this.#addresses.release(vmi)
  }
}

/** A VMI that is not created yet has no uid, and no age. */
function since(times: Map<string, number>, uid: string | undefined, nowMs: number): number {
  if (uid === undefined) return nowMs
  const known = times.get(uid)
  if (known !== undefined) return known
  times.set(uid, nowMs)
  return nowMs
}
