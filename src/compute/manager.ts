import { type Clock, toTimestamp } from '../common/clock.ts'
import { type RequestContext, serviceContext } from '../common/context.ts'
import { messageOf } from '../common/errors.ts'
import { InstanceLocks } from '../common/instance-locks.ts'
import { type IdGenerator, newRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeDriver, LifecycleEvent } from '../virt/driver.ts'
import { InstanceBuilder } from './build.ts'
import { Concurrency } from '../common/concurrency.ts'
import { GuestAudit } from './guest-audit.ts'
import { InstanceOperations } from './instance-operations.ts'
import { InstanceTurns } from './instance-turns.ts'
import type { ResourceTracker } from './resource-tracker.ts'
import type { BuildAndRunArgs } from './rpcapi.ts'

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
  readonly #builder: InstanceBuilder
  readonly #audit: GuestAudit
  readonly #buildSlots: Concurrency

  constructor(deps: ComputeDeps, options: ComputeOptions) {
    const log = deps.log.named('nova.compute.manager')
    const locks = new InstanceLocks()
    this.#deps = deps
    this.#log = log
    this.#options = options
    this.#turns = new InstanceTurns({ locks, log })
    this.#operations = new InstanceOperations({ ...deps, log }, options)
    this.#builder = new InstanceBuilder({ ...deps, operations: this.#operations, log }, options)
    this.#audit = new GuestAudit({ ...deps, locks, log }, options)
    this.#buildSlots = new Concurrency(options.maxConcurrentBuilds)
  }

  async buildAndRunInstance(ctx: RequestContext, args: BuildAndRunArgs): Promise<void> {
    const { uid } = args.request.instance
    const piece = { uid, name: `build ${ctx.requestId} ${args.attempt}` }
    await this.#turns.take(ctx, piece, (signal) =>
      this.#buildSlots.run(() => this.#builder.build(ctx, args, signal), signal),
    )
  }

  async stopInstance(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    await this.#turns.take(ctx, { uid: ref.uid, name: `stop ${ctx.requestId}` }, (signal) =>
      this.#operations.run(ctx, ref, {
        action: 'stop',
        step: 'compute_stop_instance',
        task: 'powering-off',
        work: async (instance) => {
          const startedAt = this.#deps.clock.now()
          const timeoutMs = this.#shutdownTimeoutMs(instance)
          await this.#deps.driver.powerOff(ctx, ref, { timeoutMs, signal })
          this.#log.with(ctx, ref.uid).info('Shut off instance', { seconds: this.#secondsSince(startedAt) })
          return { vmState: 'stopped', powerState: 'SHUTDOWN', addresses: [] }
        },
      }),
    )
  }

  async startInstance(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    await this.#turns.take(ctx, { uid: ref.uid, name: `start ${ctx.requestId}` }, (signal) =>
      this.#operations.run(ctx, ref, {
        action: 'start',
        step: 'compute_start_instance',
        task: 'powering-on',
        work: async () => {
          const startedAt = this.#deps.clock.now()
          const guest = await this.#deps.driver.powerOn(ctx, ref, { signal })
          this.#log.with(ctx, ref.uid).info('Started instance', { seconds: this.#secondsSince(startedAt) })
          return { vmState: 'active', powerState: 'RUNNING', addresses: [...guest.addresses] }
        },
      }),
    )
  }

  async terminateInstance(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    await this.#turns.takeNext(ctx, { uid: ref.uid, name: `delete ${ctx.requestId}` }, () =>
      this.#operations.run(ctx, ref, {
        action: 'delete',
        step: 'compute_terminate_instance',
        task: 'deleting',
        work: async () => {
          await this.#deps.driver.destroy(ctx, ref)
          this.#deps.tracker.release(ref.uid)
          this.#log.with(ctx, ref.uid).info('Terminated instance')
          const terminatedAt = toTimestamp(this.#deps.clock.now())
          return { vmState: 'deleted', powerState: 'NOSTATE', addresses: [], terminatedAt }
        },
      }),
    )
  }

  /**
   * Takes up what is on this host and what was in flight when the agent stopped, whatever was half done.
   * To be called before messages are taken. nova.compute.manager `init_host`.
   */
  async initHost(ctx: RequestContext): Promise<void> {
    const instances = await this.#deps.conductor.instanceGetByHost(ctx, this.#options.host)
    for (const instance of instances) {
      if (instance.flavor && instance.vmState !== 'deleted')
        this.#deps.tracker.adopt(instance.ref.uid, instance.flavor)
    }
    this.#log.with(ctx).info('Took over the instances of this host', {
      host: this.#options.host,
      instances: instances.length,
      inFlight: instances.filter((one) => one.taskState).length,
    })
    // Not awaited: a guest that is slow to shut down does not keep the agent from its other work.
    for (const instance of instances) void this.#resume(instance)
    await this.#audit.reapUnknown(ctx)
  }

  /** Compares every guest with its instance. nova.compute.manager `_sync_power_states`. */
  async syncPowerStates(ctx: RequestContext): Promise<void> {
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

  async #resumeTask(ctx: RequestContext, { ref, taskState }: InstanceView): Promise<void> {
    switch (taskState) {
      case 'scheduling':
      case 'spawning': {
        // The scheduler knows what the host can take, and sends a bound instance to its host again.
        const request = await this.#deps.conductor.buildRequestGet(ctx, ref)
        return this.#deps.scheduler.buildInstances(ctx, { request, progress: { events: [] } })
      }
      case 'powering-off':
        return this.stopInstance(ctx, ref)
      case 'powering-on':
        return this.startInstance(ctx, ref)
      case 'deleting':
        return this.terminateInstance(ctx, ref)
      case undefined:
        return
    }
  }

  #shutdownTimeoutMs(instance: InstanceView): number {
    const { shutdownTimeoutSeconds } = instance
    return shutdownTimeoutSeconds === undefined
      ? this.#options.shutdownTimeoutMs
      : shutdownTimeoutSeconds * 1000
  }

  #secondsSince(startedAt: number): number {
    return (this.#deps.clock.now() - startedAt) / 1000
  }
}
