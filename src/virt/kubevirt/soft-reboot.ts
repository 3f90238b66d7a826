import { GuestOperationFailure } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError } from '../../kube/api-error.ts'
import type { GuestRef, PowerState, SoftRebootOptions } from '../driver.ts'
import { waitUntil } from '../wait-until.ts'
import type { GuestSubresources } from './guest-subresources.ts'
import type { GuestWatch } from './guest-watch.ts'
import { powerStateOf } from './power-state.ts'

export interface SoftRebootDeps {
  readonly subresources: GuestSubresources
  readonly watch: GuestWatch
}

/**
 * Asks one guest to reboot itself: through its agent where it has one, otherwise as the power button does. The VMI and
 * its Pod stay, and KubeVirt does not tell whether the guest reacted: that it was asked is all there is to know.
 */
export class SoftReboot {
  readonly #deps: SoftRebootDeps
  readonly #guest: GuestRef

  constructor(deps: SoftRebootDeps, guest: GuestRef) {
    this.#deps = deps
    this.#guest = guest
  }

  async run(log: Logger, options: SoftRebootOptions): Promise<void> {
    options.signal?.throwIfAborted()
    try {
      await this.#deps.subresources.softReboot(this.#guest)
    } catch (error) {
      throw error instanceof ApiError ? this.#failure(messageOf(error), error) : error
    }
    log.info('Asked the guest to reboot')
    const look = (): true | undefined => this.#state() === 'RUNNING' || undefined
    if (await waitUntil(this.#deps.watch.changesOf(this.#guest), look, options)) return
    throw this.#failure(`its power state is ${this.#state()} after it was asked`)
  }

  #state(): PowerState {
    return powerStateOf(this.#deps.watch.find(this.#guest))
  }

  #failure(reason: string, cause?: unknown): GuestOperationFailure {
    return new GuestOperationFailure({ instance: this.#guest.uid, operation: 'reboot', reason }, { cause })
  }
}
