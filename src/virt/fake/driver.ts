import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { InstanceDeployFailure, InstanceExists } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type {
  ComputeDriver,
  GuestInfo,
  GuestRef,
  GuestSpec,
  HostResources,
  LifecycleEvent,
  PowerOffOptions,
  SpawnOptions,
} from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import { LifecycleListeners } from '../lifecycle-listeners.ts'
import { waitUntil } from '../wait-until.ts'
import { type FaultyMethod, Faults } from './faults.ts'
import type { FakeGuest, FakeGuestChange, FakeHypervisor } from './hypervisor.ts'

export interface FakeDriverOptions {
  readonly host: string
  readonly resources: HostResources
}

/** Nova's fake driver: its guests live in a FakeHypervisor, and it can be told to fail or to be slow. */
export class FakeDriver implements ComputeDriver {
  readonly #hypervisor: FakeHypervisor
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: FakeDriverOptions
  readonly #faults: Faults
  readonly #listeners = new LifecycleListeners()
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
    if (options.timeoutMs > 0) {
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
    if (found.powerState === 'RUNNING') return infoOf(found)
    this.#hypervisor.boot(guest)
    const info = await this.#started(guest, options)
    this.#log.with(ctx, guest.uid).info('Started the guest')
    return info
  }

  async destroy(ctx: RequestContext, guest: GuestRef): Promise<void> {
    await this.#faults.apply('destroy')
    if (!this.#own(guest)) return
    this.#hypervisor.remove(guest)
    this.#log.with(ctx, guest.uid).info('Deleted the guest')
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
    return this.#own(guest)?.powerState !== 'RUNNING'
  }

  #deployFailure(guest: GuestRef, reason: string): InstanceDeployFailure {
    return new InstanceDeployFailure({ instance: guest.uid, host: this.#options.host, reason })
  }

  #tell({ before, after }: FakeGuestChange): void {
    const guest = after ?? before
    const powerState = after?.powerState ?? 'NOSTATE'
    if (!guest || guest.host !== this.#options.host || powerState === (before?.powerState ?? 'NOSTATE'))
      return
    const { namespace, name, uid } = guest
    this.#listeners.emit({ namespace, name, uid, powerState })
  }
}

function infoOf({ namespace, name, uid, powerState, addresses }: GuestInfo): GuestInfo {
  return { namespace, name, uid, powerState, addresses }
}
