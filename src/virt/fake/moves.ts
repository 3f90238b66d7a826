import type { RequestContext } from '../../common/context.ts'
import { MigrationError } from '../../common/errors/guest.ts'
import type { Logger } from '../../common/log.ts'
import type { GuestInfo, GuestRef, GuestSpec, SpawnOptions } from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type {
  FinishMigrationOptions,
  GuestMoves,
  LiveMigrateOptions,
  SnapshotOptions,
  SnapshotSource,
} from '../guest-moves.ts'
import type { Faults } from './faults.ts'
import type { FakeGuest, FakeHypervisor } from './hypervisor.ts'

export interface FakeMovesDeps {
  readonly hypervisor: FakeHypervisor
  readonly faults: Faults
  readonly log: Logger
  /** Boots the guest and gives it as it runs. */
  readonly boot: (guest: GuestRef, options: SpawnOptions) => Promise<GuestInfo>
}

/** How guests come to the fake driver's host and leave it. */
export class FakeMoves implements GuestMoves {
  readonly #deps: FakeMovesDeps
  readonly #host: string

  constructor(deps: FakeMovesDeps, host: string) {
    this.#deps = deps
    this.#host = host
  }

  async finishMigration(
    ctx: RequestContext,
    guest: GuestSpec,
    options: FinishMigrationOptions,
  ): Promise<GuestInfo> {
    const { hypervisor, faults, log } = this.#deps
    await faults.apply('finishMigration', options.signal)
    const found = hypervisor.find(guest)
    if (hypervisor.hasForeign(guest) || (found && found.uid !== guest.uid)) throw this.#notFound(guest)
    const isRunningHere = found?.host === this.#host && found.powerState === 'RUNNING'
    if (isRunningHere && !isOfSize(found, guest)) {
      throw new MigrationError({
        instance: guest.uid,
        reason: 'it runs, and its size can be changed only while it is off',
      })
    }
    if (isRunningHere) return infoOf(found)
    const placed = hypervisor.place(guest, this.#host)
    log.with(ctx, guest.uid).info('Took over the guest that was moved here', { from: found?.host })
    return options.powerOn ? this.#deps.boot(guest, options) : infoOf(placed)
  }

  async liveMigrate(ctx: RequestContext, guest: GuestRef, options: LiveMigrateOptions): Promise<void> {
    const { hypervisor, faults, log } = this.#deps
    await faults.apply('liveMigrate', options.signal)
    const found = hypervisor.find(guest)
    if (found?.uid === guest.uid && found.host === options.to) return
    if (found?.uid !== guest.uid || found.host !== this.#host) throw this.#notFound(guest)
    const reason = this.#obstacle(found, options.to)
    if (reason !== undefined) throw new MigrationError({ instance: guest.uid, reason })
    hypervisor.move(guest, options.to)
    log.with(ctx, guest.uid).info('Moved the running guest', { to: options.to })
  }

  async snapshot(ctx: RequestContext, guest: GuestRef, options: SnapshotOptions): Promise<SnapshotSource> {
    const { hypervisor, faults, log } = this.#deps
    await faults.apply('snapshot', options.signal)
    const found = hypervisor.find(guest)
    if (found?.uid !== guest.uid || found.host !== this.#host) throw this.#notFound(guest)
    log.with(ctx, guest.uid).info('Took a snapshot', { name: options.name })
    return { snapshot: { namespace: guest.namespace, name: options.name } }
  }

  #obstacle(guest: FakeGuest, to: string): string | undefined {
    const isUp = guest.powerState === 'RUNNING' || guest.powerState === 'PAUSED'
    if (!isUp) return 'it does not run'
    return this.#deps.hypervisor.hosts().includes(to)
      ? undefined
      : `the fake hypervisor of ${this.#host} is not in one process with that of ${to}`
  }

  #notFound(guest: GuestRef): GuestNotFound {
    return new GuestNotFound({ instance: guest.uid, host: this.#host })
  }
}

function isOfSize({ size }: FakeGuest, { vcpus, memoryMb }: GuestSpec): boolean {
  return size === undefined || (size.vcpus === vcpus && size.memoryMb === memoryMb)
}

function infoOf({ namespace, name, uid, powerState, addresses }: GuestInfo): GuestInfo {
  return { namespace, name, uid, powerState, addresses }
}
