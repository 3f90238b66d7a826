import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { InstancePowerOffFailure } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import { isConflict, isNotFound } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, refOf, type ResourceType } from '../../kube/resource.ts'
import type { GuestRef } from '../driver.ts'
import type { GuestAssignment, TakeAwayOptions } from '../guest-assignment.ts'
import { hostsOf, pinnedTo } from './affinity.ts'
import { HOST_LABEL, hostLabelValue, INSTANCE_UID_LABEL, isOnHost, isOwnedBy } from './ownership.ts'
import {
  POD,
  type Pod,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from './resources.ts'
import { toUnavailable } from './to-unavailable.ts'
import { LAUNCHER, LAUNCHER_LABEL } from './launcher-pod.ts'
import { retrying } from './retrying.ts'

export interface KubeVirtGuestAssignmentOptions {
  /** How long KubeVirt may take to let go of a guest whose host is dead. Default one minute. */
  readonly forceTimeoutMs?: number
}

const FORCE_TIMEOUT_MS = 60_000
/** Grace periods of a Pod, in seconds. Erased, it is gone without anybody on its node having ended it; killed, it is there until then. */
const [ERASED, KILLED] = [0, 1]
const POLL_MS = 500

/**
 * Whose a VirtualMachine is, says its label `compute.kilonova.dev/host` (an agent watches only its own host's), and its
 * node affinity pins it there. KubeVirt copies neither label to a guest that runs, so its VMI is told too. The Secret
 * with the user data stays the old host's: the new one makes its own from the instance (`finishMigration`).
 */
export class KubeVirtGuestAssignment implements GuestAssignment {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #forceTimeoutMs: number

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: KubeVirtGuestAssignmentOptions = {},
  ) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.virt.kubevirt.assignment')
    this.#forceTimeoutMs = options.forceTimeoutMs ?? FORCE_TIMEOUT_MS
  }

  async assign(ctx: RequestContext, guest: GuestRef, to: string | undefined): Promise<void> {
    const log = this.#log.with(ctx, guest.uid)
    try {
      if (await this.#pin(guest, to)) log.info('Assigned the VirtualMachine', { host: to })
      await this.#label(guest, to)
    } catch (error) {
      toUnavailable(error)
    }
  }

  async allowMove(ctx: RequestContext, guest: GuestRef, to: string): Promise<void> {
    const log = this.#log.with(ctx, guest.uid)
    try {
      const isWritten = await this.#write(guest, (vm) => admitting(vm, to))
      if (isWritten) log.info('Allowed the VirtualMachine to move', { to })
    } catch (error) {
      toUnavailable(error)
    }
  }

  async takeAway(
    ctx: RequestContext,
    guest: GuestRef,
    to: string,
    { byForce }: TakeAwayOptions,
  ): Promise<void> {
    const log = this.#log.with(ctx, guest.uid)
    try {
      const isWritten = await this.#pin(guest, to)
      if (isWritten) log.info('Took the VirtualMachine away from its host', { host: to, byForce })
      await this.#removeFromOthers(guest, to, byForce ? ERASED : KILLED)
    } catch (error) {
      toUnavailable(error)
    }
  }

  async isAssignedTo(_ctx: RequestContext, guest: GuestRef, host: string): Promise<boolean> {
    try {
      const vm = await this.#find(VIRTUAL_MACHINE, guest)
      return vm !== undefined && isOwnedBy(vm, guest) && isOnHost(vm, host)
    } catch (error) {
      return toUnavailable(error)
    }
  }

  async #pin(guest: GuestRef, to: string | undefined): Promise<boolean> {
    const labels = { [HOST_LABEL]: labelOf(to) }
    const affinity = to === undefined ? pinnedTo() : pinnedTo(to)
    const patch = { metadata: { labels }, spec: { template: { metadata: { labels }, spec: { affinity } } } }
    return this.#write(guest, (vm) => {
      const { metadata, spec } = vm.spec.template
      const isSo =
        vm.metadata.labels?.[HOST_LABEL] === labels[HOST_LABEL] &&
        metadata?.labels?.[HOST_LABEL] === labels[HOST_LABEL] &&
        JSON.stringify(hostsOf(spec.affinity)) === JSON.stringify(hostsOf(affinity))
      return isSo ? undefined : patch
    })
  }

  /**
   * Writes what `change` makes of this instance's VM; nothing when it answers undefined. Answers whether it wrote. Over
   * the version that was looked at: a VM of another instance may have come under the name.
   */
  async #write(guest: GuestRef, change: (vm: VirtualMachine) => object | undefined): Promise<boolean> {
    for (;;) {
      const vm = await this.#find(VIRTUAL_MACHINE, guest)
      const patch = vm && isOwnedBy(vm, guest) ? change(vm) : undefined
      if (!vm || !patch) return false
      try {
        await this.#patch(VIRTUAL_MACHINE, vm, patch)
        return true
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
    }
  }

  /** A guest that runs, or one that ended and whose VMI is still there. */
  async #label(guest: GuestRef, to: string | undefined): Promise<void> {
    for (;;) {
      const vmi = await this.#vmiOf(guest)
      if (!vmi || vmi.metadata.labels?.[HOST_LABEL] === labelOf(to)) return
      try {
        await this.#patch(VIRTUAL_MACHINE_INSTANCE, vmi, {
          metadata: { labels: { [HOST_LABEL]: labelOf(to) } },
        })
        return
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
    }
  }

  /** Without its Pods on the old host KubeVirt takes the guest for gone. */
  async #removeFromOthers(guest: GuestRef, to: string, gracePeriodSeconds: number): Promise<void> {
    const deadlineMs = this.#clock.now() + this.#forceTimeoutMs
    for (;;) {
      const vmi = await this.#vmiOf(guest)
      const pods = await this.#launchersOf(guest)
      const isVmiLeft = vmi !== undefined && isElsewhere(vmi, vmi.status?.nodeName, to)
      const podsLeft = pods.filter((pod) => isElsewhere(pod, pod.spec?.nodeName, to))
      if (!isVmiLeft && podsLeft.length === 0) return
      if (this.#clock.now() >= deadlineMs) throw this.#notGone(guest)
      if (isVmiLeft) await this.#delete(VIRTUAL_MACHINE_INSTANCE, vmi)
      for (const pod of podsLeft) await this.#delete(POD, pod, gracePeriodSeconds)
      await this.#clock.sleep(POLL_MS)
    }
  }

  async #launchersOf({ namespace, uid }: GuestRef): Promise<readonly Pod[]> {
    const labelSelector = `${LAUNCHER_LABEL}=${LAUNCHER},${INSTANCE_UID_LABEL}=${uid}`
    const list = async (): Promise<readonly Pod[]> =>
      (await this.#client.list(POD, { namespace, labelSelector })).items
    return retrying(this.#clock, list)
  }

  async #vmiOf(guest: GuestRef): Promise<VirtualMachineInstance | undefined> {
    const vmi = await this.#find(VIRTUAL_MACHINE_INSTANCE, guest)
    return vmi?.metadata.labels?.[INSTANCE_UID_LABEL] === guest.uid ? vmi : undefined
  }

  async #find<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, name }: GuestRef,
  ): Promise<T | undefined> {
    try {
      return await retrying(this.#clock, async () => this.#client.get(type, { namespace, name }))
    } catch (error) {
      // A NotFound that does not name it means that its kind is not served just now.
      if (isNotFound(error) && error.details?.name === name) return undefined
      throw error
    }
  }

  async #patch<T extends KubeObject>(type: ResourceType<T>, object: T, patch: object): Promise<void> {
    const { resourceVersion } = object.metadata
    const options = resourceVersion === undefined ? {} : { resourceVersion }
    await retrying(this.#clock, async () => this.#client.mergePatch(type, refOf(object), patch, options))
  }

  async #delete<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    gracePeriodSeconds?: number,
  ): Promise<void> {
    const options = { uid: object.metadata.uid, gracePeriodSeconds }
    try {
      await retrying(this.#clock, async () => this.#client.delete(type, refOf(object), options))
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  #notGone(guest: GuestRef): InstancePowerOffFailure {
    const reason = `what ran on its old host does not go away within ${this.#forceTimeoutMs / 1000} s`
    return new InstancePowerOffFailure({ instance: guest.uid, reason })
  }
}

function labelOf(host: string | undefined): string {
  return host === undefined ? '' : hostLabelValue(host)
}

/** The change that lets a VM run on one more host beside its own; undefined when it may, and when it has none of its own. */
function admitting(vm: VirtualMachine, to: string): object | undefined {
  const { affinity } = vm.spec.template.spec
  const label = vm.metadata.labels?.[HOST_LABEL]
  const own = hostsOf(affinity).filter((host) => hostLabelValue(host) === label)
  if (own.length === 0) return undefined
  const wanted = pinnedTo(...new Set([...own, to]))
  const isSo = JSON.stringify(hostsOf(affinity)) === JSON.stringify(hostsOf(wanted))
  return isSo ? undefined : { spec: { template: { spec: { affinity: wanted } } } }
}

/** Not of the new host. What has no node yet goes by its label. */
function isElsewhere({ metadata }: KubeObject, node: string | undefined, to: string): boolean {
  return node === undefined ? metadata.labels?.[HOST_LABEL] !== hostLabelValue(to) : node !== to
}
