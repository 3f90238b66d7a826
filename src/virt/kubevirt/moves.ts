import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { GuestRef, GuestSpec } from '../driver.ts'
import { GuestNotFound } from '../guest-not-found.ts'
import type {
  FinishMigrationOptions,
  LiveMigrateOptions,
  SnapshotOptions,
  SnapshotSource,
} from '../guest-moves.ts'
import { FinishMigration } from './finish-migration.ts'
import type { GuestRequests } from './guest-requests.ts'
import type { GuestWatch } from './guest-watch.ts'
import { LiveMigration } from './live-migration.ts'
import { MoveRequests } from './move-requests.ts'
import { isOnHost, isOwnedBy } from './ownership.ts'
import type { VirtualMachine } from './resources.ts'
import { Snapshot } from './snapshot.ts'

export interface KubeVirtMovesDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly requests: GuestRequests
  readonly watch: GuestWatch
}

export interface KubeVirtMovesOptions {
  readonly host: string
  /** How long KubeVirt may take to tell of what was done. */
  readonly forceTimeoutMs: number
}

/** How VirtualMachines come to this host and leave it, and how their disks are copied. */
export class KubeVirtMoves {
  readonly #deps: KubeVirtMovesDeps
  readonly #options: KubeVirtMovesOptions
  readonly #requests: MoveRequests

  constructor(deps: KubeVirtMovesDeps, options: KubeVirtMovesOptions) {
    this.#deps = deps
    this.#options = options
    this.#requests = new MoveRequests(deps)
  }

  /** Everything but the start: afterwards the guest can be started, or runs already. */
  async finishMigration(
    ctx: RequestContext,
    guest: GuestSpec,
    { signal }: FinishMigrationOptions,
  ): Promise<void> {
    const { requests, watch, log } = this.#deps
    const { host, forceTimeoutMs: timeoutMs } = this.#options
    const finish = new FinishMigration({ requests, moves: this.#requests, watch }, host, guest)
    await finish.run(log.with(ctx, guest.uid), { timeoutMs, signal })
  }

  async liveMigrate(ctx: RequestContext, guest: GuestRef, options: LiveMigrateOptions): Promise<void> {
    const { watch, client, clock } = this.#deps
    options.signal?.throwIfAborted()
    const vm = await this.#vm(guest, options.to)
    if (isOnHost(vm, options.to)) return
    const log = this.#deps.log.with(ctx, guest.uid)
    const limits = { host: this.#options.host, rolloutTimeoutMs: this.#options.forceTimeoutMs }
    const deps = { client, clock, log, watch, requests: this.#requests }
    const move = { ...options, guest, requestId: ctx.requestId }
    await new LiveMigration(deps, limits, move).run(vm)
  }

  async snapshot(ctx: RequestContext, guest: GuestRef, options: SnapshotOptions): Promise<SnapshotSource> {
    const { client, clock } = this.#deps
    options.signal?.throwIfAborted()
    const vm = await this.#vm(guest, this.#options.host)
    const log = this.#deps.log.with(ctx, guest.uid)
    const deps = { client, clock, log, requests: this.#requests }
    const request = { ...options, requestId: ctx.requestId }
    return new Snapshot(deps, this.#options.host, guest, request).take(vm)
  }

  /** This host's, or that of the host it was moved to. */
  async #vm(guest: GuestRef, to: string): Promise<VirtualMachine> {
    const vm = await this.#deps.requests.get(guest)
    const isOurs = vm && isOwnedBy(vm, guest) && (isOnHost(vm, this.#options.host) || isOnHost(vm, to))
    if (isOurs && vm.metadata.deletionTimestamp === undefined) return vm
    throw new GuestNotFound({ instance: guest.uid, host: this.#options.host })
  }
}
