import type { RequestContext } from '../common/context.ts'
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
  RescueOptions,
  SoftRebootOptions,
  SpawnOptions,
  UnrescueOptions,
} from '../virt/driver.ts'
import type {
  FinishMigrationOptions,
  LiveMigrateOptions,
  SnapshotOptions,
  SnapshotSource,
} from '../virt/guest-moves.ts'

/**
 * A driver whose waits end with its agent: a guest may take minutes to boot or to shut down, and whoever comes next
 * goes on from where this agent was, as every method of a driver may be called again.
 */
export class StoppableDriver implements ComputeDriver {
  readonly #driver: ComputeDriver
  readonly #stopping: AbortSignal

  /** @param stopping is aborted, with an error that says so, when the agent stops. */
  constructor(driver: ComputeDriver, stopping: AbortSignal) {
    this.#driver = driver
    this.#stopping = stopping
  }

  async start(signal?: AbortSignal): Promise<void> {
    await this.#driver.start(signal)
  }

  async stop(): Promise<void> {
    await this.#driver.stop()
  }

  get keepsGuestsPerHost(): boolean {
    return this.#driver.keepsGuestsPerHost
  }

  isReady(): boolean {
    return this.#driver.isReady()
  }

  async getAvailableResource(): Promise<HostResources> {
    return this.#driver.getAvailableResource()
  }

  async listInstances(): Promise<readonly GuestInfo[]> {
    return this.#driver.listInstances()
  }

  async getInfo(guest: GuestRef): Promise<GuestInfo> {
    return this.#driver.getInfo(guest)
  }

  async spawn(ctx: RequestContext, guest: GuestSpec, options: SpawnOptions = {}): Promise<GuestInfo> {
    return this.#driver.spawn(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async powerOff(ctx: RequestContext, guest: GuestRef, options: PowerOffOptions): Promise<void> {
    await this.#driver.powerOff(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async powerOn(ctx: RequestContext, guest: GuestRef, options: SpawnOptions = {}): Promise<GuestInfo> {
    return this.#driver.powerOn(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async pause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#driver.pause(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async unpause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#driver.unpause(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async suspend(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#driver.suspend(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async resume(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#driver.resume(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async softReboot(ctx: RequestContext, guest: GuestRef, options: SoftRebootOptions): Promise<void> {
    await this.#driver.softReboot(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async hardReboot(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<GuestInfo> {
    return this.#driver.hardReboot(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async rescue(ctx: RequestContext, guest: GuestRef, options: RescueOptions): Promise<GuestInfo> {
    return this.#driver.rescue(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async unrescue(ctx: RequestContext, guest: GuestRef, options: UnrescueOptions): Promise<GuestInfo> {
    return this.#driver.unrescue(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async getConsoleOutput(ctx: RequestContext, guest: GuestRef, options: ConsoleOptions): Promise<string> {
    return this.#driver.getConsoleOutput(ctx, guest, options)
  }

  async finishMigration(
    ctx: RequestContext,
    guest: GuestSpec,
    options: FinishMigrationOptions,
  ): Promise<GuestInfo> {
    return this.#driver.finishMigration(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async liveMigrate(ctx: RequestContext, guest: GuestRef, options: LiveMigrateOptions): Promise<void> {
    await this.#driver.liveMigrate(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  async snapshot(ctx: RequestContext, guest: GuestRef, options: SnapshotOptions): Promise<SnapshotSource> {
    return this.#driver.snapshot(ctx, guest, { ...options, signal: this.#either(options.signal) })
  }

  /** What was asked of the hypervisor goes on without us; only the wait for it ends. */
  async destroy(ctx: RequestContext, guest: GuestRef): Promise<void> {
    this.#stopping.throwIfAborted()
    const { promise: stopped, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(this.#stopping.reason)
    this.#stopping.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.#driver.destroy(ctx, guest), stopped])
    } finally {
      this.#stopping.removeEventListener('abort', onAbort)
    }
  }

  onLifecycleEvent(listener: (event: LifecycleEvent) => void): () => void {
    return this.#driver.onLifecycleEvent(listener)
  }

  #either(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#stopping]) : this.#stopping
  }
}
