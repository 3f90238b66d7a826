import type { Instance } from '../apis/v1alpha1/instance.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { MaxRetriesExceeded, NoValidHost } from '../common/errors/scheduling.ts'
import { InstanceLocks } from '../common/instance-locks.ts'
import type { Logger } from '../common/log.ts'
import type { ComputeRpcApi } from '../compute/rpcapi.ts'
import { isRetryable } from '../kube/api-error.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { Informer } from '../kube/informer.ts'
import { type ActionProgress, type Placement, StepRecorder } from '../objects/action-progress.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import { type BuildRequest, imageMetaOf } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { toFault } from '../objects/instance-fault.ts'
import type { FilterScheduler } from './filter-scheduler.ts'
import { type HostManager, ownerOf } from './host-manager.ts'
import { type Amounts, capacityOf, type HostState, NOTHING } from './host-state.ts'
import {
  explainChoice,
  explainNoValidHost,
  passedOf,
  type Selection,
  SELECT_DESTINATIONS_STEP,
} from './placement.ts'
import { isPreempted } from '../common/errors/preempted.ts'
import type { BuildInstancesArgs, Destinations } from './rpcapi.ts'

export interface SchedulerOptions {
  /** Hosts a build is sent to at most. Nova: [scheduler]max_attempts, 3. */
  readonly maxAttempts: number
}

interface SchedulerDeps {
  readonly hosts: HostManager
  readonly instances: InstanceStore
  readonly cache: Informer<Instance>
  readonly actions: ActionStore
  readonly events: EventRecorder
  readonly computeRpc: ComputeRpcApi
  readonly scheduler: FilterScheduler
  readonly clock: Clock
  readonly log: Logger
}

/** As many as the status of an instance can name. */
const MAX_ALTERNATES = 8

/** How long the watch may be behind the sender of a message before the API server is asked instead. */
const CATCH_UP_MS = 250

/** The server side of the scheduler's messages. nova.scheduler.manager, with the conductor's part of a build. */
export class SchedulerManager {
  readonly #deps: SchedulerDeps
  readonly #log: Logger
  readonly #options: SchedulerOptions
  /** Two messages about one instance would claim two hosts, and the second claim would free the first. */
  readonly #locks = new InstanceLocks()

  constructor(deps: SchedulerDeps, options: SchedulerOptions) {
    this.#deps = deps
    this.#log = deps.log.named('nova.scheduler.manager')
    this.#options = options
  }

  /**
   * Finds a host, binds the instance to it and has it built there. Safe to receive twice: an instance that is
   * bound already is sent to its host again.
   *
   * @param agent the host whose agent asks, where one does: it may do so only for what is or was its own
   */
  async buildInstances(ctx: RequestContext, args: BuildInstancesArgs, agent?: string): Promise<void> {
    await this.#locks.run(args.request.instance.uid, () => this.#build(ctx, args, agent))
  }

  /**
   * Where an instance would go if it were made now. Claims nothing, so another may be there first.
   * @throws InstanceGroupNotFound, OverQuota
   */
  async selectDestinations(ctx: RequestContext, request: BuildRequest): Promise<Destinations> {
    await this.#deps.scheduler.ready(request)
    this.#deps.scheduler.checkQuota(request)
    const { host, alternates, placement } = this.#deps.scheduler.select(request, {
      ignoreHosts: [],
      preferHosts: [],
      maxAlternates: Math.min(MAX_ALTERNATES, this.#options.maxAttempts - 1),
    })
    this.#log.with(ctx).info('Told where an instance would go', {
      host: placement.host,
      considered: placement.considered,
      passed: passedOf(placement),
    })
    return { alternates: [...alternates], placement, ...(!host && { reason: explainNoValidHost(placement) }) }
  }

  async #build(ctx: RequestContext, args: BuildInstancesArgs, agent: string | undefined): Promise<void> {
    const { request, progress, seenVersion } = args
    const log = this.#log.with(ctx, request.instance.uid)
    try {
      let instance = await this.#read(request, seenVersion)
      if (agent !== undefined && !hasHad(agent, instance)) {
        // Only what is there now can refuse.
        instance = await this.#deps.instances.get(request.instance)
      }
      if (agent !== undefined && !hasHad(agent, instance)) {
        log.warn('Ignored an agent that asks for what was never its own', { host: agent })
        return
      }
      const { host, attempt = 0 } = instance.status
      if (host) {
        log.info('Instance is bound already; sending it to its host again', { host, attempt })
        const limits = this.#limitsOf(host)
        await this.#deps.computeRpc.buildAndRunInstance(ctx, host, {
          request,
          attempt,
          limits,
          group: this.#deps.scheduler.groupLimitFor(request),
          progress,
        })
        return
      }
      await this.#place(ctx, instance, request, progress)
    } catch (error) {
      if (!isPreempted(error)) throw error
      log.info('Stopped scheduling the instance: something else came first', { reason: error.message })
    }
  }

  #limitsOf(host: string): Amounts {
    const state = this.#deps.hosts.stateOf(host)
    return state ? capacityOf(state) : NOTHING
  }

  /**
   * From the cache where that shows it waiting for a host. A message can be faster than the watch: the instance
   * may not be there yet, be older than its sender saw it, or still have the host that has just given it back.
   */
  async #read(request: BuildRequest, seenVersion: string | undefined): Promise<Instance> {
    const { namespace, name, uid } = request.instance
    const cached = await this.#deps.cache.atLeast(`${namespace}/${name}`, seenVersion, CATCH_UP_MS)
    const isWaiting = cached?.status.taskState === 'scheduling' && cached.status.host === undefined
    return cached?.metadata.uid === uid && isWaiting ? cached : this.#deps.instances.get(request.instance)
  }

  // oxlint-disable-next-line max-params -- one build: who asks, the instance, what to build, what was done
  async #place(
    ctx: RequestContext,
    instance: Instance,
    request: BuildRequest,
    progress: ActionProgress,
  ): Promise<void> {
    const { attempt = 0, triedHosts = [], alternates = [] } = instance.status
    const step = new StepRecorder(
      this.#deps.clock,
      { name: SELECT_DESTINATIONS_STEP, host: 'nova-scheduler' },
      progress,
    )
    const log = this.#log.with(ctx, request.instance.uid)
    if (attempt >= this.#options.maxAttempts) {
      const error = exhausted(triedHosts, progress)
      await this.#fail(ctx, instance, error, step.failed(error))
      return
    }

    try {
      await this.#deps.scheduler.ready(request)
      // From here to the claim nothing may come in between: no await.
      this.#deps.scheduler.checkQuota(request)
    } catch (error) {
      if (!(error instanceof NovaError) || error.outcome !== 'terminal') throw error
      await this.#fail(ctx, instance, error, step.failed(error))
      return
    }
    const selection = this.#deps.scheduler.select(request, {
      ignoreHosts: triedHosts,
      preferHosts: alternates,
      maxAlternates: Math.min(MAX_ALTERNATES, this.#options.maxAttempts - attempt - 1),
    })
    const { host, placement } = selection
    if (!host) {
      const error = noHostError(triedHosts, placement, progress)
      await this.#fail(ctx, instance, error, { ...step.failed(error), placement })
      return
    }
    this.#deps.hosts.claim(request.instance.uid, host.host, request.flavor, ownerOf(request))
    log.info('Selected host', {
      host: host.host,
      attempt: attempt + 1,
      considered: placement.considered,
      passed: passedOf(placement),
      weights: placement.weighed.map((one) => `${one.host}:${one.weight}`).join(','),
    })
    try {
      await this.#bind(ctx, instance, request, selection, host)
    } finally {
      this.#deps.hosts.settle(request.instance.uid)
    }
    log.info('Bound instance to host', { host: host.host })
    await this.#deps.computeRpc.buildAndRunInstance(ctx, host.host, {
      request,
      attempt: attempt + 1,
      limits: capacityOf(host),
      group: this.#deps.scheduler.groupLimitFor(request),
      progress: { ...step.succeeded(), placement },
    })
    this.#deps.events.record({
      object: instance,
      type: 'Normal',
      reason: 'Scheduled',
      message: `Bound to ${explainChoice(placement)} (${ctx.requestId})`,
    })
  }

  // oxlint-disable-next-line max-params -- a binding is just these
  async #bind(
    ctx: RequestContext,
    instance: Instance,
    request: BuildRequest,
    selection: Selection,
    host: HostState,
  ): Promise<void> {
    const attempt = (instance.status.attempt ?? 0) + 1
    const saving = this.#deps.instances.save(
      instance,
      {
        // Nova's agent does that: but it and the binding are one write this way.
        taskState: 'spawning',
        host: host.host,
        availabilityZone: host.availabilityZone,
        attempt,
        alternates: [...selection.alternates],
        flavor: { ...request.flavor, extraSpecs: request.extraSpecs },
        imageMeta: imageMetaOf(request),
        shutdownTimeoutSeconds: request.image.properties.os_shutdown_timeout ?? null,
        requestId: ctx.requestId,
        observedGeneration: instance.metadata.generation,
      },
      { vmState: ['building'], taskState: ['scheduling'], host: null, attempt: attempt - 1 },
    )
    await saving.catch((error: unknown) =>
      this.#mustBeBound(ctx, request, { host: host.host, attempt, error }),
    )
  }

  /**
   * A binding may have been written although its answer never came. Whoever took the message again would find it there
   * and not know why it was this host; and the claim would be away until the watch brings it.
   *
   * @throws the error of the write, where it was not
   */
  async #mustBeBound(
    ctx: RequestContext,
    request: BuildRequest,
    wanted: { readonly host: string; readonly attempt: number; readonly error: unknown },
  ): Promise<void> {
    const { host, attempt, error } = wanted
    if (!isRetryable(error)) throw error
    const now = await this.#deps.instances.get(request.instance)
    const { status } = now
    if (status.host !== host || status.attempt !== attempt || status.requestId !== ctx.requestId) throw error
    this.#deps.cache.observe(now)
    this.#log
      .with(ctx, request.instance.uid)
      .info('The binding was written, though its answer did not come', { reason: error.message })
  }

  // oxlint-disable-next-line max-params -- the end of an operation is just these
  async #fail(
    ctx: RequestContext,
    instance: Instance,
    error: NovaError,
    progress: ActionProgress,
  ): Promise<void> {
    const { uid = '' } = instance.metadata
    this.#log.with(ctx, uid).warn('Could not schedule the instance', { reason: error.message })
    const now = toTimestamp(this.#deps.clock.now())
    await this.#deps.instances.save(
      instance,
      {
        vmState: 'error',
        taskState: null,
        requestId: ctx.requestId,
        observedGeneration: instance.metadata.generation,
        alternates: null,
        fault: toFault(error, { requestId: ctx.requestId, now }),
      },
      { vmState: ['building'], taskState: ['scheduling'], host: null },
    )
    const end = { result: 'Error', message: error.message, progress } as const
    await this.#deps.actions.end(recordOf(instance, ctx.requestId, 'create'), end)
    this.#deps.events.record({
      object: instance,
      type: 'Warning',
      reason: error.name,
      message: `${error.message} (${ctx.requestId})`,
    })
  }
}

/** Whether the host has the instance, or has given it back. */
function hasHad(host: string, { status }: Instance): boolean {
  return status.host === host || (status.triedHosts ?? []).includes(host)
}

function noHostError(
  triedHosts: readonly string[],
  placement: Placement,
  progress: ActionProgress,
): NovaError {
  const reason = explainNoValidHost(placement)
  return triedHosts.length === 0 ? new NoValidHost({ reason }) : exhausted(triedHosts, progress, reason)
}

/** Every host that may be tried was tried. */
function exhausted(triedHosts: readonly string[], progress: ActionProgress, why?: string): NovaError {
  const last = progress.events.findLast((event) => event.result === 'Error')?.details ?? 'unknown'
  const reason = why ? `${last}; no other host is valid: ${why}` : last
  return new MaxRetriesExceeded({ attempts: triedHosts.length, hosts: [...triedHosts], reason })
}
