import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { InstanceDeployFailure, InstanceExists } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import type {
  ComputeDriver,
  ConsoleOptions,
  GuestInfo,
  GuestRef,
  GuestSpec,
  HostResources,
  LifecycleEvent,
  OperationOptions,
  PowerOffOptions,
  PowerState,
  RescueOptions,
  SoftRebootOptions,
  SpawnOptions,
  UnrescueOptions,
} from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type {
  FinishMigrationOptions,
  LiveMigrateOptions,
  SnapshotOptions,
  SnapshotSource,
} from '../guest-moves.ts'
import { LifecycleListeners } from '../lifecycle-listeners.ts'
import { waitUntil } from '../wait-until.ts'
import { type FaultyMethod, Faults } from './faults.ts'
import { FakeGuestOperations } from './guest-operations.ts'
import type { FakeGuest, FakeGuestChange, FakeHypervisor } from './hypervisor.ts'
import { FakeMoves } from './moves.ts'

export interface FakeDriverOptions {
  readonly host: string
  readonly resources: HostResources
}

/** Nova's fake driver: its guests live in a FakeHypervisor, and it can be told to fail or to be slow. */
export class FakeDriver implements ComputeDriver {
  readonly keepsGuestsPerHost = true
  readonly #hypervisor: FakeHypervisor
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: FakeDriverOptions
  readonly #faults: Faults
  readonly #moves: FakeMoves
  readonly #listeners = new LifecycleListeners()
  readonly #operations: FakeGuestOperations
  #unsubscribe: (() => void) | undefined

  constructor(
    deps: { readonly hypervisor: FakeHypervisor; readonly clock: Clock; readonly log: Logger },
    options: FakeDriverOptions,
  ) {
    this.#hypervisor = deps.hypervisor
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.virt.fake.driver')
    this.#options = options
    this.#faults = new Faults({ clock: deps.clock })
    this.#operations = new FakeGuestOperations(
      { hypervisor: deps.hypervisor, clock: deps.clock, log: this.#log },
      options.host,
    )
    const boot = async (guest: GuestRef, spawn: SpawnOptions): Promise<GuestInfo> => {
      this.#hypervisor.boot(guest)
      return this.#started(guest, spawn)
    }
    this.#moves = new FakeMoves(
      { hypervisor: deps.hypervisor, faults: this.#faults, log: this.#log, boot },
      options.host,
    )
  }

  /** The next call of `method` rejects with `error`; several calls queue up. */
  failNext(method: FaultyMethod, error: Error): void {
    this.#faults.failNext(method, error)
  }

  /** Every call of `method` takes `ms` longer from now on. */
  delay(method: FaultyMethod, ms: number): void {
    this.#faults.delay(method, ms)
  }

  async start(): Promise<void> {
    this.#hypervisor.serve(this.#options.host)
    this.#unsubscribe ??= this.#hypervisor.onChange((change) => this.#tell(change))
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  isReady(): boolean {
    return true
  }

  async getAvailableResource(): Promise<HostResources> {
    await this.#faults.apply('getAvailableResource')
    return this.#options.resources
  }

  async listInstances(): Promise<readonly GuestInfo[]> {
    await this.#faults.apply('listInstances')
    return this.#hypervisor.guestsOf(this.#options.host).map(infoOf)
  }

  async getInfo(guest: GuestRef): Promise<GuestInfo> {
    await this.#faults.apply('getInfo')
    return infoOf(this.#own(guest) ?? { ...guest, powerState: 'NOSTATE', addresses: [] })
  }

  async spawn(ctx: RequestContext, guest: GuestSpec, options: SpawnOptions = {}): Promise<GuestInfo> {
    const log = this.#log.with(ctx, guest.uid)
    await this.#faults.apply('spawn', options.signal)
    const found = this.#ownOrRefuse(guest)
    if (found) {
      log.info('Took over the guest that was there', { powerState: found.powerState })
      if (found.powerState !== 'NOSTATE') return infoOf(found)
    } else {
      this.#hypervisor.define(guest, this.#options.host)
      log.info('Created the guest')
    }
    this.#hypervisor.boot(guest)
    const info = await this.#started(guest, options)
    log.info('Guest is running', { addresses: info.addresses.map(({ address }) => address) })
    return info
  }

  async powerOff(ctx: RequestContext, guest: GuestRef, options: PowerOffOptions): Promise<void> {
    const log = this.#log.with(ctx, guest.uid)
    await this.#faults.apply('powerOff', options.signal)
    if (this.#isOff(guest)) return
    // One that is paused or suspended hears nothing: it is not worth a wait.
    if (options.timeoutMs > 0 && this.#own(guest)?.powerState === 'RUNNING') {
      log.info('Asked the guest to shut down', { timeoutMs: options.timeoutMs })
      this.#hypervisor.askToShutDown(guest)
      await waitUntil(this.#changes(), () => this.#isOff(guest) || undefined, options)
    }
    if (!this.#isOff(guest)) {
      log.info('Forced the guest off')
      this.#hypervisor.powerOff(guest)
    }
    log.info('Guest is off')
  }

  async powerOn(ctx: RequestContext, guest: GuestRef, options: SpawnOptions = {}): Promise<GuestInfo> {
    await this.#faults.apply('powerOn', options.signal)
    const found = this.#own(guest)
    if (!found) throw new GuestNotFound({ instance: guest.uid, host: this.#options.host })
    if (found.powerState === 'RUNNING' || found.powerState === 'PAUSED') return infoOf(found)
    this.#hypervisor.boot(guest)
    const info = await this.#started(guest, options)
    this.#log.with(ctx, guest.uid).info('Started the guest')
    return info
  }

  async pause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#faults.apply('pause', options.signal)
    this.#operations.pause(ctx, guest)
  }

  async unpause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#faults.apply('unpause', options.signal)
    this.#operations.unpause(ctx, guest)
  }

  async suspend(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#faults.apply('suspend', options.signal)
    this.#operations.suspend(ctx, guest)
  }

  async resume(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#faults.apply('resume', options.signal)
    await this.#operations.resume(ctx, guest, options)
  }

  async softReboot(ctx: RequestContext, guest: GuestRef, options: SoftRebootOptions): Promise<void> {
    await this.#faults.apply('softReboot', options.signal)
    await this.#operations.softReboot(ctx, guest, options)
  }

  async hardReboot(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<GuestInfo> {
    await this.#faults.apply('hardReboot', options.signal)
    return infoOf(await this.#operations.hardReboot(ctx, guest, options))
  }

  async rescue(ctx: RequestContext, guest: GuestRef, options: RescueOptions): Promise<GuestInfo> {
    await this.#faults.apply('rescue', options.signal)
    return infoOf(await this.#operations.rescue(ctx, guest, options))
  }

  async unrescue(ctx: RequestContext, guest: GuestRef, options: UnrescueOptions): Promise<GuestInfo> {
    await this.#faults.apply('unrescue', options.signal)
    return infoOf(await this.#operations.unrescue(ctx, guest, options))
  }

  async getConsoleOutput(_ctx: RequestContext, guest: GuestRef, options: ConsoleOptions): Promise<string> {
    await this.#faults.apply('getConsoleOutput')
    return this.#operations.getConsoleOutput(guest, options)
  }

  async destroy(ctx: RequestContext, guest: GuestRef): Promise<void> {
    await this.#faults.apply('destroy')
    if (!this.#own(guest)) return
    this.#hypervisor.remove(guest)
    this.#log.with(ctx, guest.uid).info('Deleted the guest')
  }

  async finishMigration(
    ctx: RequestContext,
    guest: GuestSpec,
    options: FinishMigrationOptions,
  ): Promise<GuestInfo> {
    return this.#moves.finishMigration(ctx, guest, options)
  }

  async liveMigrate(ctx: RequestContext, guest: GuestRef, options: LiveMigrateOptions): Promise<void> {
    await this.#moves.liveMigrate(ctx, guest, options)
  }

  async snapshot(ctx: RequestContext, guest: GuestRef, options: SnapshotOptions): Promise<SnapshotSource> {
    return this.#moves.snapshot(ctx, guest, options)
  }

  onLifecycleEvent(listener: (event: LifecycleEvent) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** The guest as it is once it runs. */
  async #started(guest: GuestRef, options: SpawnOptions): Promise<GuestInfo> {
    const running = await waitUntil(
      this.#changes(),
      () => {
        const found = this.#own(guest)
        if (!found) throw this.#deployFailure(guest, 'it was removed while it was starting')
        return found.powerState === 'RUNNING' ? found : undefined
      },
      options,
    )
    if (!running) throw this.#deployFailure(guest, 'it did not start')
    return infoOf(running)
  }

  #changes(): { readonly clock: Clock; readonly onChange: (listener: () => void) => () => void } {
    return { clock: this.#clock, onChange: (listener) => this.#hypervisor.onChange(listener) }
  }

  /** This instance's guest on this host: a later instance of the same name is not it. */
  #own(guest: GuestRef): FakeGuest | undefined {
    const found = this.#hypervisor.find(guest)
    return found?.uid === guest.uid && found.host === this.#options.host ? found : undefined
  }

  #ownOrRefuse(guest: GuestSpec): FakeGuest | undefined {
    const { namespace, name, uid } = guest
    if (this.#hypervisor.hasForeign(guest)) {
      throw new InstanceExists({ name: `${namespace}/${name}`, owner: 'nobody' })
    }
    const found = this.#hypervisor.find(guest)
    if (found && found.uid !== uid) {
      throw new InstanceExists({ name: `${namespace}/${name}`, owner: `instance ${found.uid}` })
    }
    if (found && found.host !== this.#options.host) {
      throw this.#deployFailure(guest, `its guest is still on host ${found.host}`)
    }
    return found
  }

  #isOff(guest: GuestRef): boolean {
    const state = this.#own(guest)?.powerState ?? 'NOSTATE'
    return state !== 'RUNNING' && state !== 'PAUSED' && state !== 'SUSPENDED'
  }

  #deployFailure(guest: GuestRef, reason: string): InstanceDeployFailure {
    return new InstanceDeployFailure({ instance: guest.uid, host: this.#options.host, reason })
  }

  /** A guest that was moved away is gone, to this host. */
  #tell({ before, after }: FakeGuestChange): void {
    const guest = after ?? before
    const stateOf = (seen: FakeGuest | undefined): PowerState =>
      seen?.host === this.#options.host ? seen.powerState : 'NOSTATE'
    const powerState = stateOf(after)
    if (!guest || powerState === stateOf(before)) return
    const { namespace, name, uid } = guest
    this.#listeners.emit({ namespace, name, uid, powerState })
  }
}

function infoOf({ namespace, name, uid, powerState, addresses }: GuestInfo): GuestInfo {
  return { namespace, name, uid, powerState, addresses }
}
