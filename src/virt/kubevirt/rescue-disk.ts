import { isDeepStrictEqual } from 'node:util'
import type { Logger } from '../../common/log.ts'
import type { DiskSource, GuestRef } from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { HOST_LABEL, isOwnedBy } from './ownership.ts'
import { isFinal } from './power-state.ts'
import {
  type RescuePatch,
  rescueVolumeOf,
  toRescueVolume,
  withoutRescueDisk,
  withRescueDisk,
} from './rescue-template.ts'
import type { VirtualMachine } from './resources.ts'

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

  /** The guest boots from it the next time it is started. */
  async insert(log: Logger, vm: VirtualMachine, disk: DiskSource): Promise<void> {
    const isWritten = await this.#patch(vm, ({ template }) => {
      const volume = toRescueVolume(disk, template.spec)
      const isThere = isDeepStrictEqual(rescueVolumeOf(template.spec), volume)
      return isThere ? undefined : withRescueDisk(template.spec, volume)
    })
    if (isWritten) log.info('Put a rescue disk into the VirtualMachine')
  }

  /** The guest boots from its own the next time it is started. */
  async remove(log: Logger, vm: VirtualMachine): Promise<void> {
    const isWritten = await this.#patch(vm, ({ template }) =>
      rescueVolumeOf(template.spec) ? withoutRescueDisk(template.spec) : undefined,
    )
    if (isWritten) log.info('Took the rescue disk out of the VirtualMachine')
  }

  /** Whether the guest was started with that one, or with any. */
  isIn(disk?: DiskSource): boolean {
    const { vmi } = this.#watch.find(this.#guest)
    if (!vmi || isFinal(vmi) || vmi.metadata.deletionTimestamp !== undefined) return false
    const volume = rescueVolumeOf(vmi.spec)
    return disk ? isDeepStrictEqual(volume, toRescueVolume(disk, vmi.spec)) : volume !== undefined
  }

  /** Answers whether there was anything to write. */
  async #patch(
    seen: VirtualMachine,
    change: (spec: VirtualMachine['spec']) => RescuePatch | undefined,
  ): Promise<boolean> {
    for (let vm: VirtualMachine | undefined = seen; ; ) {
      if (!vm || !isOwnedBy(vm, this.#guest)) throw this.#notFound(seen)
      const patch = change(vm.spec)
      if (!patch) return false
      const answer = await this.#requests.patchTemplate(this.#guest, vm, patch)
      if (answer) {
        this.#watch.observe(answer)
        return true
      }
      vm = await this.#requests.get(this.#guest)
    }
  }

  #notFound(seen: VirtualMachine): GuestNotFound {
    const host = seen.metadata.labels?.[HOST_LABEL] ?? ''
    return new GuestNotFound({ instance: this.#guest.uid, host })
  }
}
