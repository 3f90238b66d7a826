import type { Clock } from '../../common/clock.ts'
import { InstancePowerOffFailure } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError } from '../../kube/api-error.ts'
import type { GuestRef, PowerOffOptions } from '../driver.ts'
import { waitUntil } from '../wait-until.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { hasStartRequest, isFinal, powerStateOf } from './power-state.ts'
import type { VirtualMachineInstance } from './resources.ts'

export interface ShutdownDeps {
  readonly requests: GuestRequests
  readonly watch: GuestWatch
  readonly clock: Clock
}

/** Switches one guest off. */
export class Shutdown {
  readonly #requests: GuestRequests
  readonly #watch: GuestWatch
  readonly #clock: Clock
  readonly #guest: GuestRef
  /** A VMI was seen: when there is none any more, the guest is off. */
  #hasSeenVmi = false

  constructor(deps: ShutdownDeps, guest: GuestRef) {
    this.#requests = deps.requests
    this.#watch = deps.watch
    this.#clock = deps.clock
    this.#guest = guest
  }

  async run(log: Logger, options: PowerOffOptions, forceTimeoutMs: number): Promise<void> {
    const startMs = this.#clock.now()
    options.signal?.throwIfAborted()
    try {
      await this.#cancelPendingStart()
      if (this.#isOff()) {
        log.debug('The guest is off already')
        return
      }
      await this.#switchOff(log, options, forceTimeoutMs)
    } catch (error) {
      throw error instanceof ApiError ? this.#failure(messageOf(error), error) : error
    }
    log.info('Guest is off', { afterMs: this.#clock.now() - startMs })
  }

  async #switchOff(log: Logger, options: PowerOffOptions, forceTimeoutMs: number): Promise<void> {
    const { timeoutMs, signal } = options
    // One that is paused hears nothing: it is not worth a wait.
    if (timeoutMs > 0 && powerStateOf(this.#watch.find(this.#guest)) !== 'PAUSED') {
      await this.#ask(options)
      log.info('Asked the guest to shut down', { timeoutMs })
      if (await this.#becomesOff(options)) return
      log.info('The guest did not shut down in time: forcing it off', { timeoutMs })
    } else {
      log.info('Forcing the guest off')
    }
    await this.#requests.forceStop(this.#guest)
    if (await this.#becomesOff({ timeoutMs: forceTimeoutMs, signal })) return
    throw this.#failure(`it still runs ${forceTimeoutMs / 1000} s after it was forced off`)
  }

  /** Once is enough: a guest that was asked before, by an agent that then crashed, is on its way. */
  async #ask(options: PowerOffOptions): Promise<void> {
    const vmi = await this.#vmiToStop(options)
    if (!vmi || vmi.metadata.deletionTimestamp !== undefined) return
    const vm = await this.#requests.stop(this.#guest, vmi)
    if (vm) this.#watch.observe(vm)
  }

  /** The VM's status may be a moment ahead of what we are told of its VMI. */
  async #vmiToStop(options: PowerOffOptions): Promise<VirtualMachineInstance | undefined> {
    const look = (): VirtualMachineInstance | 'off' | undefined =>
      this.#watch.find(this.#guest).vmi ?? (this.#isOff() ? 'off' : undefined)
    const found = await waitUntil(this.#watch.changesOf(this.#guest), look, options)
    return found === 'off' ? undefined : found
  }

  /** A start that is not carried out yet would switch the guest on behind our back. */
  async #cancelPendingStart(): Promise<void> {
    for (;;) {
      const { vm, vmi } = this.#watch.find(this.#guest)
      const isUp = vmi !== undefined && !isFinal(vmi) && vmi.metadata.deletionTimestamp === undefined
      if (!vm || isUp || !hasStartRequest(vm)) return
      const answer =
        (await this.#requests.cancelStart(this.#guest, vm)) ?? (await this.#requests.get(this.#guest))
      if (!answer) return
      this.#watch.observe(answer)
    }
  }

  #isOff(): boolean {
    const { vm, vmi } = this.#watch.find(this.#guest)
    if (vmi) {
      this.#hasSeenVmi = true
      return isFinal(vmi)
    }
    // The VM's status may tell of a VMI that we have not been told of yet.
    return vm === undefined || this.#hasSeenVmi || vm.status?.created !== true
  }

  async #becomesOff(options: Pick<PowerOffOptions, 'timeoutMs' | 'signal'>): Promise<boolean> {
    const changes = this.#watch.changesOf(this.#guest)
    return (await waitUntil(changes, () => this.#isOff() || undefined, options)) ?? false
  }

  #failure(reason: string, cause?: unknown): InstancePowerOffFailure {
    return new InstancePowerOffFailure({ instance: this.#guest.uid, reason }, { cause })
  }
}
