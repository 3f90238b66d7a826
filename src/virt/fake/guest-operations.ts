import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { ConsoleNotAvailable, GuestOperationFailure } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import type {
  ConsoleOptions,
  GuestRef,
  OperationOptions,
  RescueOptions,
  SoftRebootOptions,
  UnrescueOptions,
} from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import { waitUntil, type WaitOptions } from '../wait-until.ts'
import type { FakeGuest, FakeHypervisor } from './hypervisor.ts'

/** What can be done with a guest of the fake driver that is there. */
export class FakeGuestOperations {
  readonly #hypervisor: FakeHypervisor
  readonly #clock: Clock
  readonly #log: Logger
  readonly #host: string

  constructor(
    deps: { readonly hypervisor: FakeHypervisor; readonly clock: Clock; readonly log: Logger },
    host: string,
  ) {
    this.#hypervisor = deps.hypervisor
    this.#clock = deps.clock
    this.#log = deps.log
    this.#host = host
  }

  pause(ctx: RequestContext, guest: GuestRef): void {
    if (this.#own(guest).powerState === 'PAUSED') return
    this.#mustRun(guest, 'pause')
    this.#hypervisor.pause(guest)
    this.#logOf(ctx, guest).info('Paused the guest')
  }

  unpause(ctx: RequestContext, guest: GuestRef): void {
    const { powerState } = this.#own(guest)
    if (powerState === 'RUNNING') return
    if (powerState !== 'PAUSED') throw failure(guest, 'unpause', `its power state is ${powerState}`)
    this.#hypervisor.unpause(guest)
    this.#logOf(ctx, guest).info('Unpaused the guest')
  }

  suspend(ctx: RequestContext, guest: GuestRef): void {
    if (this.#own(guest).powerState === 'SUSPENDED') return
    this.#mustRun(guest, 'suspend')
    this.#hypervisor.suspend(guest)
    this.#logOf(ctx, guest).info('Suspended the guest')
  }

  async resume(ctx: RequestContext, guest: GuestRef, options: OperationOptions): Promise<void> {
    const { powerState } = this.#own(guest)
    if (powerState === 'RUNNING') return
    if (powerState !== 'SUSPENDED') throw failure(guest, 'resume', `its power state is ${powerState}`)
    this.#hypervisor.resume(guest)
    await this.#running(guest, 'resume', options)
    this.#logOf(ctx, guest).info('Resumed the guest')
  }

  async softReboot(ctx: RequestContext, guest: GuestRef, options: SoftRebootOptions): Promise<void> {
    const { reboots } = this.#mustRun(guest, 'reboot')
    this.#logOf(ctx, guest).info('Asked the guest to reboot')
    this.#hypervisor.askToReboot(guest)
    const look = (): true | undefined => this.#own(guest).reboots > reboots || undefined
    if (await this.#wait(look, options)) return
    throw failure(guest, 'reboot', `the guest did not react within ${options.timeoutMs / 1000} s`)
  }

  async hardReboot(ctx: RequestContext, guest: GuestRef, options: OperationOptions): Promise<FakeGuest> {
    this.#own(guest)
    const running = await this.#restart(guest, 'reboot', options)
    this.#logOf(ctx, guest).info('Rebooted the guest')
    return running
  }

  async rescue(ctx: RequestContext, guest: GuestRef, options: RescueOptions): Promise<FakeGuest> {
    const found = this.#own(guest)
    const isSame = JSON.stringify(found.rescueDisk) === JSON.stringify(options.disk)
    if (isSame && found.powerState === 'RUNNING') return found
    this.#hypervisor.powerOff(guest)
    this.#hypervisor.setRescueDisk(guest, options.disk)
    const running = await this.#restart(guest, 'rescue', options)
    this.#logOf(ctx, guest).info('The guest runs from its rescue disk')
    return running
  }

  async unrescue(ctx: RequestContext, guest: GuestRef, options: UnrescueOptions): Promise<FakeGuest> {
    const found = this.#own(guest)
    if (found.rescueDisk) {
      this.#hypervisor.powerOff(guest)
      this.#hypervisor.setRescueDisk(guest, undefined)
      this.#logOf(ctx, guest).info('The rescue disk is gone')
    }
    const { powerState } = this.#own(guest)
    if (!options.powerOn) {
      if (powerState !== 'SHUTDOWN') this.#hypervisor.powerOff(guest)
      return this.#own(guest)
    }
    return powerState === 'RUNNING' ? this.#own(guest) : this.#restart(guest, 'unrescue', options)
  }

  getConsoleOutput(guest: GuestRef, { lines }: ConsoleOptions): string {
    const { powerState, console } = this.#own(guest)
    if (powerState !== 'RUNNING' && powerState !== 'PAUSED') {
      throw new ConsoleNotAvailable({ instance: guest.uid, reason: `its power state is ${powerState}` })
    }
    return console
      .slice(-lines)
      .map((line) => `${line}\n`)
      .join('')
  }

  async #restart(guest: GuestRef, operation: string, options: OperationOptions): Promise<FakeGuest> {
    this.#hypervisor.powerOff(guest)
    this.#hypervisor.boot(guest)
    return this.#running(guest, operation, options)
  }

  async #running(guest: GuestRef, operation: string, options: OperationOptions): Promise<FakeGuest> {
    const look = (): FakeGuest | undefined => {
      const found = this.#own(guest)
      return found.powerState === 'RUNNING' ? found : undefined
    }
    const running = await this.#wait(look, options)
    if (!running) throw failure(guest, operation, 'it did not start')
    return running
  }

  async #wait<T>(look: () => T | undefined, options: WaitOptions): Promise<T | undefined> {
    const onChange = (listener: () => void): (() => void) => this.#hypervisor.onChange(listener)
    return waitUntil({ clock: this.#clock, onChange }, look, options)
  }

  #own(guest: GuestRef): FakeGuest {
    const found = this.#hypervisor.find(guest)
    if (found?.uid === guest.uid && found.host === this.#host) return found
    throw new GuestNotFound({ instance: guest.uid, host: this.#host })
  }

  #mustRun(guest: GuestRef, operation: string): FakeGuest {
    const found = this.#own(guest)
    if (found.powerState === 'RUNNING') return found
    throw failure(guest, operation, `its power state is ${found.powerState}`)
  }

  #logOf(ctx: RequestContext, guest: GuestRef): Logger {
    return this.#log.with(ctx, guest.uid)
  }
}

function failure(guest: GuestRef, operation: string, reason: string): GuestOperationFailure {
  return new GuestOperationFailure({ instance: guest.uid, operation, reason })
}
