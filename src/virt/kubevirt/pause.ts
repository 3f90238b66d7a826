import { GuestOperationFailure } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError } from '../../kube/api-error.ts'
import type { GuestRef, OperationOptions, PowerState } from '../driver.ts'
import { waitUntil } from '../wait-until.ts'
import type { GuestSubresources } from './guest-subresources.ts'
import type { GuestWatch } from './guest-watch.ts'
import { isFinal, powerStateOf } from './power-state.ts'

export interface PauseDeps {
  readonly subresources: GuestSubresources
  readonly watch: GuestWatch
}

const WANTED = { pause: 'PAUSED', unpause: 'RUNNING' } as const

/** Pauses one guest, or lets it go on. */
export class Pause {
  readonly #deps: PauseDeps
  readonly #guest: GuestRef
  readonly #operation: keyof typeof WANTED

  constructor(deps: PauseDeps, guest: GuestRef, operation: keyof typeof WANTED) {
    this.#deps = deps
    this.#guest = guest
    this.#operation = operation
  }

  async run(
    log: Logger,
    { signal }: OperationOptions,
    limits: { readonly pauseTimeoutMs: number },
  ): Promise<void> {
    signal?.throwIfAborted()
    if (this.#state() === WANTED[this.#operation]) {
      log.debug('Nothing to do', { operation: this.#operation, powerState: this.#state() })
      return
    }
    try {
      await this.#deps.subresources[this.#operation](this.#guest)
    } catch (error) {
      throw error instanceof ApiError ? this.#failure(messageOf(error), error) : error
    }
    const timeoutMs = limits.pauseTimeoutMs
    const changes = this.#deps.watch.changesOf(this.#guest)
    if (!(await waitUntil(changes, () => this.#look(), { timeoutMs, signal }))) {
      const after = `${timeoutMs / 1000} s after KubeVirt accepted that`
      throw this.#failure(`its power state is ${this.#state()} ${after}`)
    }
    log.info(this.#operation === 'pause' ? 'Paused the guest' : 'Unpaused the guest')
  }

  #look(): true | undefined {
    const { vm, vmi } = this.#deps.watch.find(this.#guest)
    const state = this.#state()
    if (!vm || (vmi && isFinal(vmi))) throw this.#failure(`it ended meanwhile, its power state is ${state}`)
    return state === WANTED[this.#operation] || undefined
  }

  #state(): PowerState {
    return powerStateOf(this.#deps.watch.find(this.#guest))
  }

  #failure(reason: string, cause?: unknown): GuestOperationFailure {
    const operation = this.#operation
    return new GuestOperationFailure({ instance: this.#guest.uid, operation, reason }, { cause })
  }
}
