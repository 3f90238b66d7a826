import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { BuildAbortException } from '../common/errors/guest.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import type { ActionProgress } from '../objects/action-progress.ts'
import { checkObserved, type ExpectedState } from '../objects/expected-state.ts'
import { whileAvailable } from '../objects/unavailable.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeDriver } from '../virt/driver.ts'
import { toGuestSpec } from './guest-spec.ts'
import { type InstanceOperations, isFinal, isOvertaken } from './instance-operations.ts'
import type { LateGroupCheck } from './late-group-check.ts'
import type { ResourceTracker } from './resource-tracker.ts'
import type { BuildAndRunArgs } from './rpcapi.ts'

interface BuildDeps {
  readonly driver: ComputeDriver
  readonly conductor: ConductorApi
  readonly scheduler: SchedulerRpcApi
  readonly operations: InstanceOperations
  readonly tracker: ResourceTracker
  readonly groups: LateGroupCheck
  readonly clock: Clock
  readonly log: Logger
}

/** Nova's name, with its two underscores. */
const STEP = 'compute__do_build_and_run_instance'

/** Builds one instance on this host, or gives it back. nova.compute.manager `_do_build_and_run_instance`. */
export class InstanceBuilder {
  readonly #deps: BuildDeps
  readonly #log: Logger
  readonly #host: string

  constructor(deps: BuildDeps, options: { readonly host: string }) {
    this.#deps = deps
    this.#log = deps.log
    this.#host = options.host
  }

  /**
   * Have the conductor confirm that the instance is bound to this host in this attempt, claim, spawn, say that it is active. What
   * this host cannot do goes back to the scheduler for another; what no host can do ends in error.
   *
   * @param signal is aborted when the instance is being deleted
   * @throws what may pass by itself, for the message to be delivered again
   */
  async build(ctx: RequestContext, args: BuildAndRunArgs, signal: AbortSignal): Promise<void> {
    const { request, attempt, limits, group, progress } = args
    const { uid } = request.instance
    const log = this.#log.with(ctx, uid)
    const step = this.#deps.operations.beginStep(STEP, progress)
    const claim: ExpectedState = { vmState: ['building'], host: this.#host, attempt }
    const startedAt = this.#deps.clock.now()
    try {
      // A message of an attempt before, that comes late, must not make a guest.
      const bound = await this.#deps.conductor.instanceGet(ctx, request.instance)
      checkObserved({ ...bound, uid }, { ...claim, taskState: ['spawning'] })
      this.#deps.groups.check(uid, group)
      this.#deps.tracker.claim(uid, request.flavor, limits)
      log.info('Claim successful', {
        vcpus: request.flavor.vcpus,
        memoryMb: request.flavor.memoryMb,
        attempt,
      })
      const guest = await whileAvailable(() => this.#deps.driver.spawn(ctx, toGuestSpec(request), { signal }))
      const took = (this.#deps.clock.now() - startedAt) / 1000
      await this.#deps.conductor.instanceUpdate(ctx, {
        instance: request.instance,
        update: {
          vmState: 'active',
          taskState: null,
          powerState: 'RUNNING',
          addresses: [...guest.addresses],
          launchedAt: toTimestamp(this.#deps.clock.now()),
          fault: null,
        },
        expected: { ...claim, taskState: ['spawning'] },
        note: { action: 'create', progress: step.succeeded(), end: { result: 'Success' } },
      })
      log.info('Built instance', { seconds: took })
    } catch (error) {
      await this.#afterFailure(ctx, args, error, { claim, progress: step.failed(error) })
    }
  }

  // oxlint-disable-next-line max-params -- what failed, and what was known of it
  async #afterFailure(
    ctx: RequestContext,
    args: BuildAndRunArgs,
    error: unknown,
    known: { readonly claim: ExpectedState; readonly progress: ActionProgress },
  ): Promise<void> {
    const { uid } = args.request.instance
    const log = this.#log.with(ctx, uid)
    if (isOvertaken(error)) {
      log.info('Stopped the build: something else came first', { reason: error.message })
      await this.#leaveToOthers(ctx, args)
      return
    }
    if (error instanceof NovaError && error.outcome === 'retry') throw error
    log.warn('Failed to build the instance', { reason: messageOf(error), attempt: args.attempt })
    try {
      // What is removed below must be what this build made, and never the guest of one that was done before.
      if (!(await this.#isStillBuilding(ctx, args))) {
        await this.#leaveToOthers(ctx, args)
        return
      }
      const leftover = await this.#cleanUpOrSayWhyNot(ctx, args)
      if (leftover) await this.#abort(ctx, args, { error: leftover, keepsHost: true }, known)
      else if (isFinal(error)) await this.#abort(ctx, args, { error, keepsHost: false }, known)
      else await this.#reschedule(ctx, args, known)
    } catch (later) {
      if (!isOvertaken(later)) throw later
      log.info('The failed build is nobody’s concern any more', { reason: later.message })
    }
  }

  /** Another host gets its turn. Nova: RescheduledException. */
  async #reschedule(
    ctx: RequestContext,
    { request, attempt }: BuildAndRunArgs,
    { claim, progress }: { readonly claim: ExpectedState; readonly progress: ActionProgress },
  ): Promise<void> {
    await this.#deps.conductor.instanceUpdate(ctx, {
      instance: request.instance,
      update: { taskState: 'scheduling', host: null, availabilityZone: null, powerState: 'NOSTATE' },
      expected: { ...claim, taskState: ['spawning'] },
      note: { action: 'create', progress },
    })
    this.#log
      .with(ctx, request.instance.uid)
      .info('Sent the instance back to be scheduled elsewhere', { attempt })
    await this.#deps.scheduler.buildInstances(ctx, { request, progress })
  }

  /**
   * No host can build it. Nova: BuildAbortException; the host is taken off the instance. Unlike Nova, a host that
   * may still have something of it keeps it, claim and all: whoever deletes the instance has that removed there.
   */
  // oxlint-disable-next-line max-params -- what failed, and what was known of it
  async #abort(
    ctx: RequestContext,
    { request }: BuildAndRunArgs,
    { error, keepsHost }: { readonly error: unknown; readonly keepsHost: boolean },
    { claim, progress }: { readonly claim: ExpectedState; readonly progress: ActionProgress },
  ): Promise<void> {
    await this.#deps.operations.fail(ctx, request.instance, {
      action: 'create',
      error,
      update: {
        vmState: 'error',
        taskState: null,
        powerState: 'NOSTATE',
        ...(!keepsHost && { host: null, availabilityZone: null }),
      },
      expected: { ...claim, taskState: ['spawning'] },
      progress,
    })
  }

  /**
   * Removes what this build may have made, unless the instance still is this host's: then a late or second copy
   * of the message met a build that is done, or the delete that comes removes it.
   */
  async #leaveToOthers(ctx: RequestContext, args: BuildAndRunArgs): Promise<void> {
    const instance = await this.#find(ctx, args)
    const isHere = instance?.host === this.#host
    const wasGivenUp = instance?.vmState === 'error' && instance.attempt === args.attempt
    if (isHere && !wasGivenUp) return
    await this.#deps.driver.destroy(ctx, args.request.instance)
    if (!isHere) this.#deps.tracker.release(args.request.instance.uid)
  }

  async #isStillBuilding(ctx: RequestContext, args: BuildAndRunArgs): Promise<boolean> {
    const instance = await this.#find(ctx, args)
    return (
      instance?.vmState === 'building' && instance.host === this.#host && instance.attempt === args.attempt
    )
  }

  async #find(ctx: RequestContext, { request }: BuildAndRunArgs): Promise<InstanceView | undefined> {
    try {
      return await this.#deps.conductor.instanceGet(ctx, request.instance)
    } catch (error) {
      if (error instanceof InstanceNotFound) return undefined
      throw error
    }
  }

  async #cleanUp(ctx: RequestContext, { request }: BuildAndRunArgs): Promise<void> {
    await whileAvailable(() => this.#deps.driver.destroy(ctx, request.instance))
    this.#deps.tracker.release(request.instance.uid)
  }

  /** As in Nova, a host that cannot clean up behind itself ends the build: another could make a second guest. */
  async #cleanUpOrSayWhyNot(ctx: RequestContext, args: BuildAndRunArgs): Promise<Error | undefined> {
    try {
      await this.#cleanUp(ctx, args)
      return undefined
    } catch (error) {
      if (error instanceof NovaError && error.outcome === 'retry') throw error
      const reason = `could not clean up on ${this.#host}: ${messageOf(error)}`
      return new BuildAbortException({ instance: args.request.instance.uid, reason }, { cause: error })
    }
  }
}
