import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { InstancePowerOnFailure, NotSupported } from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import { ApiError } from '../../kube/api-error.ts'
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
} from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type {
  FinishMigrationOptions,
  LiveMigrateOptions,
  SnapshotOptions,
  SnapshotSource,
} from '../guest-moves.ts'
import { LifecycleListeners } from '../lifecycle-listeners.ts'
import { awaitKubeVirt } from './await-kubevirt.ts'
import { BuildWatch } from './build-watch.ts'
import { ConsoleLog } from './console-log.ts'
import { GuestRequests } from './guest-requests.ts'
import { GuestSubresources } from './guest-subresources.ts'
import { GuestWatch } from './guest-watch.ts'
import { Launch } from './launch.ts'
import { KubeVirtMoves } from './moves.ts'
import { NO_SUSPEND } from './no-suspend.ts'
import { hostResourcesOf } from './node-resources.ts'
import { DEFAULT_OPTIONS, type KubeVirtDriverOptions } from './options.ts'
import { isOnHost, isOwnedBy } from './ownership.ts'
import { Pause } from './pause.ts'
import { addressesOf, isFinal, isStartPending, powerStateOf } from './power-state.ts'
import { asOperation } from './as-operation.ts'
import { SoftReboot } from './soft-reboot.ts'
import { Removal } from './removal.ts'
import { RescueDisk } from './rescue-disk.ts'
import { NODE, type VirtualMachine } from './resources.ts'
import { Shutdown } from './shutdown.ts'
import { toUnavailable } from './to-unavailable.ts'

/**
 * Drives KubeVirt on one node: a guest is a VirtualMachine of the instance's name, owned by its uid and pinned
 * to the node. A launch costs two writes (the VM, its start), a stop, a start and a delete one each.
 */
export class KubeVirtDriver implements ComputeDriver {
  readonly keepsGuestsPerHost = false
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: Required<KubeVirtDriverOptions>
  readonly #requests: GuestRequests
  readonly #subresources: GuestSubresources
  readonly #watch: GuestWatch
  readonly #moves: KubeVirtMoves
  readonly #listeners = new LifecycleListeners()
  #architecture: string | undefined

  constructor(
    deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
    options: KubeVirtDriverOptions,
  ) {
    const { client, clock } = deps
    this.#client = client
    this.#clock = clock
    this.#log = deps.log.named('nova.virt.kubevirt.driver')
    this.#options = { ...DEFAULT_OPTIONS, ...options }
    this.#requests = new GuestRequests({ client, clock })
    this.#subresources = new GuestSubresources({ client, clock })
    this.#watch = new GuestWatch(
      { client, clock, log: this.#log },
      { host: options.host, onLifecycleEvent: (event) => this.#listeners.emit(event) },
    )
    this.#moves = new KubeVirtMoves(
      { client, clock, log: this.#log, requests: this.#requests, watch: this.#watch },
      this.#options,
    )
  }

  async start(signal?: AbortSignal): Promise<void> {
    await awaitKubeVirt({ client: this.#client, clock: this.#clock, log: this.#log }, signal)
    await this.#watch.start(signal)
  }

  async stop(): Promise<void> {
    await this.#watch.stop()
  }

  isReady(): boolean {
    return this.#watch.isHealthy()
  }

  async getAvailableResource(): Promise<HostResources> {
    const node = this.#client.get(NODE, { name: this.#options.host })
    const resources = hostResourcesOf(await node.catch(toUnavailable))
    this.#architecture = resources.architecture
    return resources
  }

  async listInstances(): Promise<readonly GuestInfo[]> {
    return this.#watch.guests().map((guest) => this.#infoOf(guest))
  }

  async getInfo(guest: GuestRef): Promise<GuestInfo> {
    return this.#infoOf(guest)
  }

  async spawn(ctx: RequestContext, guest: GuestSpec, options: SpawnOptions = {}): Promise<GuestInfo> {
    const { signal } = options
    const { host, forceTimeoutMs, terminationGracePeriodSeconds } = this.#options
    const log = this.#log.with(ctx, guest.uid)
    const startMs = this.#clock.now()
    signal?.throwIfAborted()
    const architecture = this.#architecture ?? (await this.getAvailableResource()).architecture
    const placement = { host, architecture, requestId: ctx.requestId, terminationGracePeriodSeconds }
    const launch = new Launch({ requests: this.#requests, watch: this.#watch }, guest, placement)
    await launch.run(log, { signal, removalTimeoutMs: forceTimeoutMs })
    const failure = await this.#buildWatch(guest).outcome(options)
    if (failure) throw launch.errorOf(failure)
    const info = this.#infoOf(guest)
    const addresses = info.addresses.map(({ address }) => address)
    const afterMs = this.#clock.now() - startMs
    if (info.powerState === 'RUNNING') log.info('Guest is running', { addresses, afterMs })
    else log.info('Guest was built, and does not run any more', { powerState: info.powerState, afterMs })
    return info
  }

  async powerOff(ctx: RequestContext, guest: GuestRef, options: PowerOffOptions): Promise<void> {
    const deps = { requests: this.#requests, watch: this.#watch, clock: this.#clock }
    const log = this.#log.with(ctx, guest.uid)
    await new Shutdown(deps, guest).run(log, options, this.#options.forceTimeoutMs)
  }

  async powerOn(ctx: RequestContext, guest: GuestRef, options: SpawnOptions = {}): Promise<GuestInfo> {
    const startMs = this.#clock.now()
    options.signal?.throwIfAborted()
    const vm = await this.#present(guest)
    const { vmi } = this.#watch.find(guest)
    const isUp = vmi !== undefined && !isFinal(vmi) && vmi.metadata.deletionTimestamp === undefined
    try {
      if (!isUp && !isStartPending({ vm, vmi })) {
        this.#watch.observe(await this.#requests.start(guest, vmi))
      }
    } catch (error) {
      throw error instanceof ApiError ? this.#powerOnFailure(guest, messageOf(error), error) : error
    }
    const failure = await this.#buildWatch(guest, isUp ? undefined : vmi?.metadata.uid).outcome(options)
    if (failure) throw this.#powerOnFailure(guest, failure.reason)
    const facts = { afterMs: this.#clock.now() - startMs }
    if (!isUp) this.#log.with(ctx, guest.uid).info('Started the guest', facts)
    return this.#infoOf(guest)
  }

  async pause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#pause(ctx, guest, 'pause', options)
  }

  async unpause(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<void> {
    await this.#pause(ctx, guest, 'unpause', options)
  }

  async suspend(): Promise<never> {
    throw new NotSupported({ operation: 'suspend', reason: NO_SUSPEND })
  }

  async resume(): Promise<never> {
    throw new NotSupported({ operation: 'resume', reason: NO_SUSPEND })
  }

  async softReboot(ctx: RequestContext, guest: GuestRef, options: SoftRebootOptions): Promise<void> {
    await this.#present(guest)
    const deps = { subresources: this.#subresources, watch: this.#watch }
    await new SoftReboot(deps, guest).run(this.#log.with(ctx, guest.uid), options)
  }

  /** Not by KubeVirt's `restart`, which refuses while a stop is under way: a guest that hangs in one is a reason to come. */
  async hardReboot(ctx: RequestContext, guest: GuestRef, options: OperationOptions = {}): Promise<GuestInfo> {
    options.signal?.throwIfAborted()
    await this.#present(guest)
    return asOperation('reboot', guest, async () => {
      await this.powerOff(ctx, guest, { ...options, timeoutMs: 0 })
      return this.powerOn(ctx, guest, options)
    })
  }

  async rescue(ctx: RequestContext, guest: GuestRef, options: RescueOptions): Promise<GuestInfo> {
    const { disk, signal } = options
    signal?.throwIfAborted()
    const vm = await this.#present(guest)
    const rescueDisk = this.#rescueDisk(guest)
    return asOperation('rescue', guest, async () => {
      // First: a disk that KubeVirt refuses leaves the guest running.
      const volume = await rescueDisk.insert(this.#log.with(ctx, guest.uid), vm, disk)
      if (!rescueDisk.isIn(volume)) await this.powerOff(ctx, guest, { timeoutMs: 0, signal })
      return this.powerOn(ctx, guest, { signal })
    })
  }

  async unrescue(ctx: RequestContext, guest: GuestRef, options: UnrescueOptions): Promise<GuestInfo> {
    const { powerOn, signal } = options
    signal?.throwIfAborted()
    const vm = await this.#present(guest)
    const rescueDisk = this.#rescueDisk(guest)
    return asOperation('unrescue', guest, async () => {
      await rescueDisk.remove(this.#log.with(ctx, guest.uid), vm)
      if (!powerOn || rescueDisk.isIn()) await this.powerOff(ctx, guest, { timeoutMs: 0, signal })
      await rescueDisk.discard()
      return powerOn ? this.powerOn(ctx, guest, { signal }) : this.#infoOf(guest)
    })
  }

  async getConsoleOutput(_ctx: RequestContext, guest: GuestRef, { lines }: ConsoleOptions): Promise<string> {
    await this.#present(guest)
    const deps = { client: this.#client, watch: this.#watch }
    return new ConsoleLog(deps, guest).read(lines).catch(toUnavailable)
  }

  async destroy(ctx: RequestContext, guest: GuestRef): Promise<void> {
    const deps = { requests: this.#requests, watch: this.#watch }
    const removal = new Removal(deps, this.#options.host, guest)
    await removal.run(this.#log.with(ctx, guest.uid), this.#options).catch(toUnavailable)
  }

  async finishMigration(
    ctx: RequestContext,
    guest: GuestSpec,
    options: FinishMigrationOptions,
  ): Promise<GuestInfo> {
    await this.#moves.finishMigration(ctx, guest, options)
    return options.powerOn ? this.powerOn(ctx, guest, options) : this.#infoOf(guest)
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

  /** When none is known, the server is asked: that it is gone ends the operation for good. */
  async #present(guest: GuestRef): Promise<VirtualMachine> {
    const { host } = this.#options
    const vm = this.#watch.find(guest).vm ?? (await this.#requests.get(guest).catch(toUnavailable))
    const isThere = vm && isOwnedBy(vm, guest) && isOnHost(vm, host)
    if (!isThere || vm.metadata.deletionTimestamp !== undefined) {
      throw new GuestNotFound({ instance: guest.uid, host })
    }
    this.#watch.observe(vm)
    return vm
  }

  async #pause(
    ctx: RequestContext,
    guest: GuestRef,
    operation: 'pause' | 'unpause',
    options: OperationOptions,
  ): Promise<void> {
    await this.#present(guest)
    const deps = { subresources: this.#subresources, watch: this.#watch }
    await new Pause(deps, guest, operation).run(this.#log.with(ctx, guest.uid), options, this.#options)
  }

  #rescueDisk(guest: GuestRef): RescueDisk {
    return new RescueDisk({ requests: this.#requests, watch: this.#watch }, guest)
  }

  #infoOf({ namespace, name, uid }: GuestRef): GuestInfo {
    const machine = this.#watch.find({ namespace, name, uid })
    return { namespace, name, uid, powerState: powerStateOf(machine), addresses: addressesOf(machine) }
  }

  #buildWatch(guest: GuestRef, earlierVmiUid?: string): BuildWatch {
    return new BuildWatch({ watch: this.#watch, clock: this.#clock }, this.#options, guest, earlierVmiUid)
  }

  #powerOnFailure(guest: GuestRef, reason: string, cause?: unknown): InstancePowerOnFailure {
    return new InstancePowerOnFailure({ instance: guest.uid, reason }, { cause })
  }
}
