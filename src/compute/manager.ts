import type { Clock } from '../common/clock.ts'
import { type RequestContext, serviceContext } from '../common/context.ts'
import { InstanceNotReady } from '../common/errors/instance-state.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { InstanceLocks } from '../common/instance-locks.ts'
import { type IdGenerator, newRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { bookingsOf } from '../objects/bookings.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import { type HostMethod, nextMessage } from '../objects/next-message.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeDriver, LifecycleEvent } from '../virt/driver.ts'
import { InstanceBuilder } from './build.ts'
import { Concurrency } from '../common/concurrency.ts'
import { GuestAudit } from './guest-audit.ts'
import { InstanceOperations } from './instance-operations.ts'
import { InstanceTurns } from './instance-turns.ts'
import { LateGroupCheck } from './late-group-check.ts'
import { hostOperations } from './operations/index.ts'
import type { OperationMaker } from './operations/operation.ts'
import type { ResourceTracker } from './resource-tracker.ts'
import type { BuildAndRunArgs, HostArgs } from './rpcapi.ts'

export interface ComputeOptions {
  readonly host: string
  /** How long a guest gets to shut itself down where its image does not say. Nova: shutdown_timeout, 60 s. */
  readonly shutdownTimeoutMs: number
  /** How many builds run at once. Nova: max_concurrent_builds, 10. */
  readonly maxConcurrentBuilds: number
}

interface ComputeDeps {
  readonly driver: ComputeDriver
  readonly conductor: ConductorApi
  readonly scheduler: SchedulerRpcApi
  readonly tracker: ResourceTracker
  readonly clock: Clock
  readonly ids: IdGenerator
  readonly log: Logger
}

/** The server side of a compute agent's messages: what is done on this host. nova.compute.manager. */
export class ComputeManager {
  readonly #deps: ComputeDeps
  readonly #log: Logger
  readonly #options: ComputeOptions
  readonly #turns: InstanceTurns
  readonly #operations: InstanceOperations
  readonly #groups: LateGroupCheck
  readonly #builder: InstanceBuilder
  readonly #audit: GuestAudit
  readonly #buildSlots: Concurrency
  readonly #makers: Readonly<Record<HostMethod, OperationMaker>>
  #syncing: Promise<void> | undefined

  constructor(deps: ComputeDeps, options: ComputeOptions) {
    const log = deps.log.named('nova.compute.manager')
    const locks = new InstanceLocks()
    this.#deps = deps
    this.#log = log
    this.#options = options
    this.#turns = new InstanceTurns({ locks, log })
    this.#operations = new InstanceOperations({ ...deps, log }, options)
    this.#groups = new LateGroupCheck(deps, options)
    this.#builder = new InstanceBuilder(
      { ...deps, operations: this.#operations, groups: this.#groups, log },
      options,
    )
    this.#audit = new GuestAudit({ ...deps, locks, log }, options)
    this.#buildSlots = new Concurrency(options.maxConcurrentBuilds)
    this.#makers = hostOperations({ ...deps, log }, options)
  }

  async buildAndRunInstance(ctx: RequestContext, args: BuildAndRunArgs): Promise<void> {
    const { uid } = args.request.instance
    const piece = { uid, name: `build ${ctx.requestId} ${args.attempt}` }
    await this.#turns.take(ctx, piece, (signal) =>
      this.#buildSlots.run(() => this.#builder.build(ctx, args, signal), signal),
    )
  }

  /** Does what a message about an instance asks for, when its turn comes. */
  async perform(ctx: RequestContext, method: HostMethod, { instance: ref, limits }: HostArgs): Promise<void> {
    const piece = { uid: ref.uid, name: `${method} ${ctx.requestId}` }
    const make = this.#makers[method]
    if (method === 'terminate_instance') {
      const { signal } = new AbortController()
      await this.#turns.takeNext(ctx, piece, () =>
        this.#operations.run(ctx, ref, { method, ...make({ ctx, signal }) }),
      )
      return
    }
    await this.#turns.take(ctx, piece, (signal) =>
      this.#operations.run(ctx, ref, { method, ...make({ ctx, signal, limits }) }),
    )
  }

  /**
   * What the guest of an instance wrote to its serial console last.
   * @throws InstanceNotReady when the instance is not on this host
   */
  async getConsoleOutput(ctx: RequestContext, ref: InstanceRef, lines: number): Promise<string> {
    const { host } = await this.#deps.conductor.instanceGet(ctx, ref)
    if (host !== this.#options.host) {
      throw new InstanceNotReady({ instance: ref.uid, reason: `it is not on ${this.#options.host}` })
    }
    return this.#deps.driver.getConsoleOutput(ctx, ref, { lines })
  }

  /**
   * Takes up what is on this host and what was in flight when the agent stopped, whatever was half done.
   * To be called before messages are taken. nova.compute.manager `init_host`.
   */
  async initHost(ctx: RequestContext): Promise<void> {
    const instances = await this.#deps.conductor.instanceGetByHost(ctx, this.#options.host)
    for (const instance of instances) {
      this.#adopt(instance)
      this.#groups.learn(instance.ref.uid, instance.group)
    }
    this.#log.with(ctx).info('Took over the instances of this host', {
      host: this.#options.host,
      instances: instances.length,
      inFlight: instances.filter((one) => one.taskState).length,
    })
    // First of all: what was evacuated from here must not run in two places.
    await this.#audit.reapUnknown(ctx)
    // Not awaited: a guest that is slow to shut down does not keep the agent from its other work.
    for (const instance of instances) void this.#resume(instance)
  }

  #adopt(instance: InstanceView): void {
    const booking = bookingsOf({ status: instance }).find(({ host }) => host === this.#options.host)
    if (booking) this.#deps.tracker.adopt(instance.ref.uid, booking.flavor)
  }

  /** Gives the claims back of instances that were to come here and do not. nova.compute.resource_tracker `_update_usage_from_instances` */
  async dropStaleClaims(ctx: RequestContext): Promise<void> {
    const claimed = this.#deps.tracker.claimed()
    const instances = await this.#deps.conductor.instanceGetByHost(ctx, this.#options.host)
    const booked = new Set(instances.map(({ ref }) => ref.uid))
    for (const uid of claimed) if (!booked.has(uid)) this.#deps.tracker.release(uid)
  }

  /** Compares every guest with its instance; whoever asks meanwhile waits for the same. nova.compute.manager `_sync_power_states`. */
  async syncPowerStates(ctx: RequestContext): Promise<void> {
    this.#syncing ??= this.#sync(ctx).finally(() => {
      this.#syncing = undefined
    })
    return this.#syncing
  }

  async #sync(ctx: RequestContext): Promise<void> {
    await this.dropStaleClaims(ctx)
    await this.#audit.compareAll(ctx)
    await this.#audit.reapUnknown(ctx)
  }

  /** A guest changed its power, by itself or at our own bidding. */
  async handleLifecycleEvent(event: LifecycleEvent): Promise<void> {
    const ctx = serviceContext(newRequestId(this.#deps.ids))
    const { namespace, name, uid } = event
    await this.#audit.follow(ctx, { namespace, name, uid })
  }

  async #resume(instance: InstanceView): Promise<void> {
    const { ref, taskState, requestId } = instance
    if (!taskState || !requestId) return
    const ctx: RequestContext = { requestId, user: '-', project: ref.namespace, instanceUid: ref.uid }
    this.#log
      .with(ctx, ref.uid)
      .info('Taking up what was in flight when the agent stopped', { task_state: taskState })
    try {
      await this.#resumeTask(ctx, instance)
    } catch (error) {
      // The API service asks again: the agent must come up all the same.
      this.#log
        .with(ctx, ref.uid)
        .warn('Could not take it up yet', { task_state: taskState, reason: messageOf(error) })
    }
  }

  /** Tells itself what the message would have said. The scheduler knows what the host can take, and tells it again. */
  async #resumeTask(ctx: RequestContext, instance: InstanceView): Promise<void> {
    const { conductor, scheduler } = this.#deps
    const next = nextMessage({ status: instance })
    if (next?.to === 'compute' && next.turn.host === this.#options.host) {
      return this.perform(ctx, next.turn.method, { instance: instance.ref })
    }
    if (next?.to !== 'scheduler') return
    const request = await conductor.buildRequestGet(ctx, instance.ref)
    const args = { request, progress: NO_PROGRESS }
    if (next.method === 'build_instances') await scheduler.buildInstances(ctx, args)
    else await scheduler.moveInstance(ctx, args)
  }
}
