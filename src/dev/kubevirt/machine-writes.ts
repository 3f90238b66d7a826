import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Informer } from '../../kube/informer.ts'
import { refOf } from '../../kube/resource.ts'
import {
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineInstanceStatus,
  type VirtualMachineStatus,
} from '../../virt/kubevirt/resources.ts'
import { CONTROLLER_FINALIZER, seconds } from './vmi.ts'

/** The stand-in's writes. Their answers go into the informers at once, so that nothing acts on older state. */
export class MachineWrites {
  readonly #client: KubeClient
  readonly #vms: Informer<VirtualMachine>
  readonly #vmis: Informer<VirtualMachineInstance>

  constructor(deps: {
    readonly client: KubeClient
    readonly vms: Informer<VirtualMachine>
    readonly vmis: Informer<VirtualMachineInstance>
  }) {
    this.#client = deps.client
    this.#vms = deps.vms
    this.#vmis = deps.vmis
  }

  async createVmi(vmi: VirtualMachineInstance): Promise<VirtualMachineInstance> {
    return this.#sawVmi(await this.#client.create(VIRTUAL_MACHINE_INSTANCE, vmi))
  }

  /** The VMI has no status subresource: its status travels in the object. */
  async patchVmiStatus(
    vmi: VirtualMachineInstance,
    status: VirtualMachineInstanceStatus,
  ): Promise<VirtualMachineInstance> {
    const patch = { status }
    return this.#sawVmi(await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, refOf(vmi), patch))
  }

  async patchVmiAffinity(
    vmi: VirtualMachineInstance,
    affinity: VirtualMachineInstance['spec']['affinity'],
  ): Promise<VirtualMachineInstance> {
    const patch = { spec: { affinity: affinity ?? null } }
    return this.#sawVmi(await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, refOf(vmi), patch))
  }

  /** Answers whether it is gone with that: nothing holds it. */
  async deleteVmi(vmi: VirtualMachineInstance, nowMs: number): Promise<boolean> {
    await this.#client
      .delete(VIRTUAL_MACHINE_INSTANCE, refOf(vmi), { uid: vmi.metadata.uid })
      .catch(ignoreNotFound)
    const isHeld = (vmi.metadata.finalizers ?? []).length > 0
    if (!isHeld) {
      this.#vmis.observe({ ...vmi, metadata: { ...vmi.metadata, deletionTimestamp: seconds(nowMs) } })
    }
    return !isHeld
  }

  /** Lets a VMI go that was deleted. */
  async releaseVmi(vmi: VirtualMachineInstance): Promise<void> {
    const patch = { metadata: { finalizers: null } }
    try {
      this.#sawVmi(await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, refOf(vmi), patch))
    } catch (error) {
      ignoreNotFound(error)
    }
  }

  async holdVm(vm: VirtualMachine): Promise<VirtualMachine> {
    const finalizers = [...(vm.metadata.finalizers ?? []), CONTROLLER_FINALIZER]
    return this.#patchVmFinalizers(vm, finalizers)
  }

  /** Lets a VM go that was deleted; other finalizers are others' business. */
  async releaseVm(vm: VirtualMachine): Promise<void> {
    const finalizers = (vm.metadata.finalizers ?? []).filter((name) => name !== CONTROLLER_FINALIZER)
    await this.#patchVmFinalizers(vm, finalizers).catch(ignoreNotFound)
  }

  /**
   * A request that comes in meanwhile must not be lost: the requests are written only when one is done, and
   * then only over the version that was looked at.
   */
  async patchVmStatus(vm: VirtualMachine, status: VirtualMachineStatus, isTrimmed: boolean): Promise<void> {
    const { stateChangeRequests = [], ...rest } = status
    const requests = isTrimmed
      ? { stateChangeRequests: stateChangeRequests.length > 0 ? stateChangeRequests : null }
      : {}
    const answer = this.#client.mergePatch(
      VIRTUAL_MACHINE,
      refOf(vm),
      { status: { ...rest, ...requests } },
      { subresource: 'status', ...(isTrimmed && { resourceVersion: vm.metadata.resourceVersion }) },
    )
    try {
      this.#vms.observe(await answer)
    } catch (error) {
      ignoreNotFound(error)
    }
  }

  async #patchVmFinalizers(vm: VirtualMachine, finalizers: readonly string[]): Promise<VirtualMachine> {
    const { resourceVersion } = vm.metadata
    const patch = { metadata: { finalizers } }
    const answer = await this.#client.mergePatch(VIRTUAL_MACHINE, refOf(vm), patch, { resourceVersion })
    this.#vms.observe(answer)
    return answer
  }

  #sawVmi(vmi: VirtualMachineInstance): VirtualMachineInstance {
    this.#vmis.observe(vmi)
    return vmi
  }
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error
}
