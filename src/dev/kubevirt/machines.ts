import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import { DONE, type Result } from '../../kube/controller.ts'
import type { Informer } from '../../kube/informer.ts'
import { isFinal } from '../../virt/kubevirt/power-state.ts'
import type {
  StateChangeRequest,
  VirtualMachine,
  VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import type { Launchers } from './launchers.ts'
import type { MachineWrites } from './machine-writes.ts'
import { isMigrating } from './migration-step.ts'
import { stepOf, trimmed } from './run-strategy.ts'
import type { VirtHandler } from './virt-handler.ts'
import { isSameStatus, statusOf } from './vm-status.ts'
import { CONTROLLER_FINALIZER, inPhase, toVmi } from './vmi.ts'

export interface MachinesDeps {
  readonly vms: Informer<VirtualMachine>
  readonly vmis: Informer<VirtualMachineInstance>
  readonly writes: MachineWrites
  readonly handler: VirtHandler
  readonly launchers: Launchers | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** KubeVirt's controllers in one: looks at one VM with its VMI and does what is to be done. */
export class Machines {
  readonly #deps: MachinesDeps
  /** Guests take no time and nothing holds their objects: the fewest writes there can be. */
  readonly #isFast: boolean

  constructor(deps: MachinesDeps, options: { readonly isFast: boolean }) {
    this.#deps = deps
    this.#isFast = options.isFast
  }

  async reconcile(key: string): Promise<Result> {
    const vm = this.#deps.vms.store.get(key)
    const vmi = this.#deps.vmis.store.get(key)
    return vm ? this.#reconcileVm(vm, vmi) : this.#reconcileOrphan(vmi)
  }

  /** A VMI whose VM is gone goes too; one that never had a VM just runs. */
  async #reconcileOrphan(vmi: VirtualMachineInstance | undefined): Promise<Result> {
    if (!vmi) return DONE
    const hadVm = vmi.metadata.ownerReferences?.some(({ kind }) => kind === 'VirtualMachine') ?? false
    if (hadVm && vmi.metadata.deletionTimestamp === undefined) {
      await this.#deps.writes.deleteVmi(vmi, this.#deps.clock.now())
      return DONE
    }
    const { afterMs } = await this.#runGuest(undefined, vmi)
    return resultOf(afterMs)
  }

  async #reconcileVm(seen: VirtualMachine, before: VirtualMachineInstance | undefined): Promise<Result> {
    const vm = await this.#hold(seen)
    const started = await this.#startOrStop(vm, before)
    const told = started && (await this.#rollOut(vm, started))
    const { vmi, afterMs } = told ? await this.#runGuest(vm, told) : {}
    if (vm.metadata.deletionTimestamp !== undefined && !vmi) {
      if (isHeld(vm)) await this.#deps.writes.releaseVm(vm)
      return DONE
    }
    // A guest may have come and gone in one look; its start is done all the same.
    await this.#writeStatus(vm, vmi, trimmed(vm, started, trimmed(vm, before)))
    return resultOf(afterMs)
  }

  async #hold(vm: VirtualMachine): Promise<VirtualMachine> {
    if (this.#isFast || isHeld(vm) || vm.metadata.deletionTimestamp !== undefined) return vm
    return this.#deps.writes.holdVm(vm)
  }

  /** The VMI as it is when what the run strategy wants is done. */
  async #startOrStop(
    vm: VirtualMachine,
    vmi: VirtualMachineInstance | undefined,
  ): Promise<VirtualMachineInstance | undefined> {
    const { writes, clock, log } = this.#deps
    const facts = { vm: `${vm.metadata.namespace}/${vm.metadata.name}` }
    switch (stepOf(vm, vmi, trimmed(vm, vmi))) {
      case 'start':
        log.debug('Starting a VM', facts)
        return writes.createVmi(this.#firstVmi(vm))
      case 'stop': {
        if (!vmi || vmi.metadata.deletionTimestamp !== undefined) return vmi
        log.debug('Stopping a VM', facts)
        const isGone = await writes.deleteVmi(vmi, clock.now())
        return isGone ? undefined : vmi
      }
      case 'nothing':
        return vmi
    }
  }

  /** What of the template may change under a running guest; while it is moved it must wait. */
  async #rollOut(vm: VirtualMachine, vmi: VirtualMachineInstance): Promise<VirtualMachineInstance> {
    const { affinity } = vm.spec.template.spec
    const isLive = !isFinal(vmi) && vmi.metadata.deletionTimestamp === undefined && !isMigrating(vmi)
    if (!isLive || isDeepStrictEqual(affinity, vmi.spec.affinity)) return vmi
    return this.#deps.writes.patchVmiAffinity(vmi, affinity)
  }

  #firstVmi(vm: VirtualMachine): VirtualMachineInstance {
    const { handler, clock } = this.#deps
    const isStubborn = handler.behaviourOf(vm).isStubborn
    if (!this.#isFast) return toVmi(vm, inPhase('Pending', clock.now(), undefined), true)
    return handler.settled(vm, toVmi(vm, {}, isStubborn))
  }

  /** Lets the guest go on as far as it gets now. */
  async #runGuest(
    vm: VirtualMachine | undefined,
    first: VirtualMachineInstance,
  ): Promise<{ readonly vmi?: VirtualMachineInstance; readonly afterMs?: number }> {
    const { handler, writes } = this.#deps
    for (let vmi = first; ; ) {
      const step = handler.stepOf(vm, vmi)
      switch (step.kind) {
        case 'write':
          vmi = await writes.patchVmiStatus(vmi, step.status)
          break
        case 'remove':
          await writes.releaseVmi(vmi)
          return {}
        case 'wait':
          await this.#deps.launchers?.make(vmi)
          return { vmi, ...(step.afterMs !== undefined && { afterMs: step.afterMs }) }
      }
    }
  }

  async #writeStatus(
    vm: VirtualMachine,
    vmi: VirtualMachineInstance | undefined,
    left: readonly StateChangeRequest[],
  ): Promise<void> {
    const requests = trimmed(vm, vmi, left)
    const status = statusOf(vm, vmi, requests)
    if (isSameStatus(vm.status, status)) return
    // Right after a VM was made its start is on the way: one write for both.
    if (this.#isFast && vm.status === undefined && !vmi) return
    const isTrimmed = requests.length !== (vm.status?.stateChangeRequests ?? []).length
    await this.#deps.writes.patchVmStatus(vm, status, isTrimmed)
  }
}

function isHeld(vm: VirtualMachine): boolean {
  return vm.metadata.finalizers?.includes(CONTROLLER_FINALIZER) ?? false
}

function resultOf(afterMs: number | undefined): Result {
  return afterMs === undefined ? DONE : { kind: 'after', ms: afterMs }
}
