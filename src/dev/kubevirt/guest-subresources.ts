import type { Clock } from '../../common/clock.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, type ObjectRef, type ResourceType } from '../../kube/resource.ts'
import {
  type Condition,
  NODE,
  trueCondition,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { type Behaviour, behaviourOf, REBOOTS_ANNOTATION } from './behaviour.ts'
import { conflict, failure, notFound, type SubresourceAnswer } from './subresource-answer.ts'
import { seconds } from './vmi.ts'

export const GUEST_ACTIONS: ReadonlySet<string> = new Set(['pause', 'unpause', 'softreboot'])

/** virt-handler did it: 200 with nothing. */
const DONE: SubresourceAnswer = { code: 200, body: {} }

/** What virt-api serves for a guest that runs, and what virt-handler then does to it. */
export class GuestSubresources {
  readonly #client: KubeClient
  readonly #clock: Clock

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock }) {
    this.#client = deps.client
    this.#clock = deps.clock
  }

  async handle(ref: ObjectRef, action: string): Promise<SubresourceAnswer> {
    const vmi = await this.#find(VIRTUAL_MACHINE_INSTANCE, ref)
    if (!vmi) return notFound('virtualmachineinstance', ref.name)
    const obstacle = obstacleTo(action, vmi)
    if (obstacle !== undefined) return conflict('virtualmachineinstance', ref.name, obstacle)
    const behaviour = await this.#behaviourOf(vmi, ref)
    switch (action) {
      case 'pause':
        return behaviour.isPauseFailing ? handlerFailed('pause') : this.#setPaused(ref, vmi, true)
      case 'unpause':
        return this.#setPaused(ref, vmi, false)
      default:
        return behaviour.isRebootFailing ? handlerFailed('softreboot') : this.#reboot(ref, vmi, behaviour)
    }
  }

  /** The Pod has a readiness gate for it, so a guest that is paused is not ready. */
  async #setPaused(
    ref: ObjectRef,
    vmi: VirtualMachineInstance,
    isPaused: boolean,
  ): Promise<SubresourceAnswer> {
    const lastTransitionTime = seconds(this.#clock.now())
    const others = (vmi.status?.conditions ?? []).filter(({ type }) => type !== 'Paused' && type !== 'Ready')
    const added: readonly Condition[] = isPaused ? [NOT_READY, PAUSED] : [READY]
    const conditions = [...added.map((condition) => ({ ...condition, lastTransitionTime })), ...others]
    await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, { status: { conditions } })
    return DONE
  }

  /** The guest reboots itself, and nobody outside can tell: what is written here is for tests alone. */
  async #reboot(
    ref: ObjectRef,
    vmi: VirtualMachineInstance,
    { isStubborn }: Behaviour,
  ): Promise<SubresourceAnswer> {
    if (isStubborn) return DONE
    const reboots = Number(vmi.metadata.annotations?.[REBOOTS_ANNOTATION] ?? 0) + 1
    const patch = { metadata: { annotations: { [REBOOTS_ANNOTATION]: `${reboots}` } } }
    await this.#client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, patch)
    return DONE
  }

  async #behaviourOf(vmi: VirtualMachineInstance, ref: ObjectRef): Promise<Behaviour> {
    const [vm, node] = await Promise.all([
      this.#find(VIRTUAL_MACHINE, ref),
      this.#find(NODE, { name: vmi.status?.nodeName ?? '' }),
    ])
    return behaviourOf({ vm, vmi, node })
  }

  async #find<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T | undefined> {
    try {
      return await this.#client.get(type, ref)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

const READY: Condition = { type: 'Ready', status: 'True' }
const NOT_READY: Condition = {
  type: 'Ready',
  status: 'False',
  reason: 'ReadinessGatesNotReady',
  message: 'the status of pod readiness gate "kubevirt.io/virtual-machine-unpaused" is not "True", but False',
}
const PAUSED: Condition = {
  type: 'Paused',
  status: 'True',
  reason: 'PausedByUser',
  message: 'VMI was paused by user',
}

/** Why virt-api does not pass it on. Its words differ from one to the other. */
function obstacleTo(action: string, vmi: VirtualMachineInstance): string | undefined {
  const isPaused = trueCondition(vmi, 'Paused') !== undefined
  if (vmi.status?.phase !== 'Running')
    return action === 'unpause' ? 'VMI is not running' : 'VM is not running'
  switch (action) {
    case 'pause':
      return isPaused ? 'VMI is already paused' : undefined
    case 'unpause':
      return isPaused ? undefined : 'VMI is not paused'
    default:
      return isPaused ? 'VMI is paused' : undefined
  }
}

/** What virt-handler could not do comes back as virt-api's own trouble. */
function handlerFailed(action: string): SubresourceAnswer {
  const message = `Internal error occurred: unexpected return code 500 (500 Internal Server Error), message: ${action} failed on purpose`
  return failure(500, 'InternalError', message)
}
