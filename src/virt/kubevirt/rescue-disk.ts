import { isDeepStrictEqual } from 'node:util'
import { GuestOperationFailure } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import type { DiskSource, GuestRef } from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { HOST_LABEL, isOwnedBy } from './ownership.ts'
import { isFinal } from './power-state.ts'
import {
  hasRescueDisk,
  rescueDataVolumeNameOf,
  type RescuePatch,
  rescueVolumeOf,
  toRescueParts,
  withoutRescueDisk,
  withRescueDisk,
} from './rescue-template.ts'
import type { VirtualMachine, Volume } from './resources.ts'

/** The disk that one guest is rescued from. It is in the VM's template, and so outlives whoever put it there. */
export class RescueDisk {
  readonly #requests: GuestRequests
  readonly #watch: GuestWatch
  readonly #guest: GuestRef

  constructor(deps: { readonly requests: GuestRequests; readonly watch: GuestWatch }, guest: GuestRef) {
    this.#requests = deps.requests
    this.#watch = deps.watch
    this.#guest = guest
  }

  /**
   * The guest boots from it the next time it is started. Answers the volume that it then has.
   * @throws NotSupported when a guest cannot be rescued from such a disk; nothing is changed
   */
  async insert(log: Logger, vm: VirtualMachine, disk: DiskSource): Promise<Volume> {
    const { volume } = toRescueParts(disk, this.#guest, vm)
    const isWritten = await this.#patch(vm, (current) => {
      const parts = toRescueParts(disk, this.#guest, current)
      if (hasRescueDisk(current.spec, parts)) return undefined
      // Its DataVolume would have to go first: it bears the name that the new one gets.
      if (rescueVolumeOf(current.spec.template.spec)?.dataVolume) throw this.#otherDisk()
      return withRescueDisk(current.spec, parts)
    })
    if (isWritten) log.info('Put a rescue disk into the VirtualMachine')
    return volume
  }

  /** The guest boots from its own the next time it is started. */
  async remove(log: Logger, vm: VirtualMachine): Promise<void> {
    const isWritten = await this.#patch(vm, ({ spec }) =>
      rescueVolumeOf(spec.template.spec) ? withoutRescueDisk(spec) : undefined,
    )
    if (isWritten) log.info('Took the rescue disk out of the VirtualMachine')
  }

  /** What KubeVirt made of the template stays until somebody removes it. Also on a second call: the first may not have come to it. */
  async discard(): Promise<void> {
    await this.#requests.deleteDataVolume(this.#guest.namespace, rescueDataVolumeNameOf(this.#guest))
  }

  /** Whether the guest was started with that one, or with any. */
  isIn(volume?: Volume): boolean {
    const { vmi } = this.#watch.find(this.#guest)
    if (!vmi || isFinal(vmi) || vmi.metadata.deletionTimestamp !== undefined) return false
    const found = rescueVolumeOf(vmi.spec)
    return volume ? isDeepStrictEqual(found, volume) : found !== undefined
  }

  /** Answers whether there was anything to write. */
  async #patch(
    seen: VirtualMachine,
    change: (vm: VirtualMachine) => RescuePatch | undefined,
  ): Promise<boolean> {
    for (let vm: VirtualMachine | undefined = seen; ; ) {
      if (!vm || !isOwnedBy(vm, this.#guest)) throw this.#notFound(seen)
      const patch = change(vm)
      if (!patch) return false
      const answer = await this.#requests.patchSpec(this.#guest, vm, patch)
      if (answer) {
        this.#watch.observe(answer)
        return true
      }
      vm = await this.#requests.get(this.#guest)
    }
  }

  #otherDisk(): GuestOperationFailure {
    const reason = 'it is being rescued from another disk; unrescue it first'
    return new GuestOperationFailure({ instance: this.#guest.uid, operation: 'rescue', reason })
  }

  #notFound(seen: VirtualMachine): GuestNotFound {
    const host = seen.metadata.labels?.[HOST_LABEL] ?? ''
    return new GuestNotFound({ instance: this.#guest.uid, host })
  }
}
