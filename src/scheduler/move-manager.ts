import type { Instance } from '../apis/v1alpha1/instance.ts'
import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { NoValidHost } from '../common/errors/scheduling.ts'
import { InstanceLocks } from '../common/instance-locks.ts'
import type { Logger } from '../common/log.ts'
import type { ComputeRpcApi } from '../compute/rpcapi.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import { type ActionProgress, NO_PROGRESS, StepRecorder } from '../objects/action-progress.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import { afterFailure } from '../objects/after-failure.ts'
import { type BuildRequest, refOfInstance } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { hostsOf } from '../objects/expected-state.ts'
import { toFault } from '../objects/instance-fault.ts'
import type { InstanceUpdate, MigrationState } from '../objects/instance-update.ts'
import { nextMessage } from '../objects/next-message.ts'
import { isDownNow } from '../servicegroup/is-down.ts'
import type { FilterScheduler } from './filter-scheduler.ts'
import { type HostManager, ownerOf } from './host-manager.ts'
import { type Amounts, capacityOf, type HostState, NOTHING } from './host-state.ts'
import { isPreempted } from '../common/errors/preempted.ts'
import { explainChoice, explainNoValidHost, passedOf, SELECT_DESTINATIONS_STEP } from './placement.ts'
import type { BuildInstancesArgs } from './rpcapi.ts'

interface MoveDeps {
  readonly client: Pick<KubeClient, 'get'>
  readonly hosts: HostManager
  readonly instances: InstanceStore
  readonly actions: ActionStore
  readonly events: EventRecorder
  readonly computeRpc: ComputeRpcApi
  readonly scheduler: FilterScheduler
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Finds the next host of an instance that has or had one: it is resized, migrated, evacuated, or comes back from the shelf. What
 * Nova's conductor does for a move, with the scheduler's answer.
 */
export class MoveManager {
  readonly #deps: MoveDeps
  readonly #log: Logger
  /** Two messages about one instance would claim two hosts. */
  readonly #locks = new InstanceLocks()

  constructor(deps: MoveDeps) {
    this.#deps = deps
    this.#log = deps.log.named('nova.scheduler.manager')
  }

  /**
   * Books the next host and tells its agent. Safe to receive twice: a host that is booked already is told again.
   *
   * @param agent the host whose agent asks, where one does: it may do so only for what is, was or becomes its own
   */
  async moveInstance(ctx: RequestContext, args: BuildInstancesArgs, agent?: string): Promise<void> {
    await this.#locks.run(args.request.instance.uid, () => this.#move(ctx, args, agent))
  }

  async #move(
    ctx: RequestContext,
    { request }: BuildInstancesArgs,
    agent: string | undefined,
  ): Promise<void> {
    const log = this.#log.with(ctx, request.instance.uid)
    try {
      const instance = await this.#deps.instances.get(request.instance)
      const next = nextMessage(instance)
      const isLate = instance.status.requestId !== ctx.requestId
      if (next?.to !== 'scheduler' || next.method !== 'move_instance' || isLate) {
        log.info('Dropped a message that came late', { task_state: instance.status.taskState ?? null })
        return
      }
      if (agent !== undefined && !hostsOf(instance.status).includes(agent)) {
        log.warn('Ignored an agent that asks for what was never its own', { host: agent })
        return
      }
      if (!next.turn) return await this.#place(ctx, instance, request)
      log.info('Instance has its next host already; telling it again', { host: next.turn.host })
      await this.#tell(ctx, instance, this.#limitsOf(next.turn.host))
    } catch (error) {
      if (!isPreempted(error)) throw error
      log.info('Stopped moving the instance: something else came first', { reason: error.message })
    }
  }

  async #place(ctx: RequestContext, instance: Instance, request: BuildRequest): Promise<void> {
    const { hosts, scheduler, clock } = this.#deps
    const { migration } = instance.status
    const { uid } = request.instance
    const step = new StepRecorder(
      clock,
      { name: SELECT_DESTINATIONS_STEP, host: 'nova-scheduler' },
      NO_PROGRESS,
    )
    const wanted = { ...request, requestedHost: migration?.requestedHost }
    try {
      await this.#checkIsStillDown(migration)
      await scheduler.ready(wanted)
      // From here to the claim nothing may come in between: no await. A move of the same size takes nothing more of a quota.
      if (migration?.type === 'resize') scheduler.checkQuota(wanted)
    } catch (error) {
      if (!(error instanceof NovaError) || error.outcome !== 'terminal') throw error
      return this.#fail(ctx, instance, error, step.failed(error))
    }
    const { host, placement } = scheduler.select(wanted, {
      ignoreHosts: migration?.sourceHost === undefined ? [] : [migration.sourceHost],
      ignoreReason: 'where it comes from',
      preferHosts: [],
      maxAlternates: 0,
    })
    if (!host) {
      const error = new NoValidHost({ reason: explainNoValidHost(placement) })
      return this.#fail(ctx, instance, error, { ...step.failed(error), placement })
    }
    hosts.claim(uid, host.host, request.flavor, ownerOf(request))
    this.#log.with(ctx, uid).info('Selected host', {
      host: host.host,
      considered: placement.considered,
      passed: passedOf(placement),
      weights: placement.weighed.map((one) => `${one.host}:${one.weight}`).join(','),
    })
    let booked: Instance
    try {
      booked = await this.#book(ctx, instance, host)
    } finally {
      hosts.settle(uid)
    }
    const progress = { ...step.succeeded(), placement }
    await this.#deps.actions.note(recordOfMove(booked, ctx), progress)
    await this.#tell(ctx, booked, capacityOf(host))
    this.#deps.events.record({
      object: instance,
      type: 'Normal',
      reason: 'Scheduled',
      message: `Goes to ${explainChoice(placement)} (${ctx.requestId})`,
    })
  }

  /**
   * Before an evacuation has a host: later only the conductor knows whether its guest was given away. A host that the watch has
   * up may have been said to be down just before the evacuation was asked for.
   * @throws ComputeServiceInUse when the host it comes from is back
   */
  async #checkIsStillDown(migration: MigrationState | undefined): Promise<void> {
    if (migration?.type !== 'evacuation' || migration.sourceHost === undefined) return
    const { client, hosts } = this.#deps
    const host = migration.sourceHost
    if (hosts.stateOf(host)?.up && !(await isDownNow(client, host))) throw new ComputeServiceInUse({ host })
  }

  async #book(ctx: RequestContext, instance: Instance, host: HostState): Promise<Instance> {
    const { taskState, migration } = instance.status
    const update: InstanceUpdate = migration
      ? { migration: { destHost: host.host, status: 'preparing' } }
      : { host: host.host, availabilityZone: host.availabilityZone }
    return this.#deps.instances.save(instance, update, {
      taskState: [taskState ?? null],
      host: instance.status.host ?? null,
      requestId: ctx.requestId,
    })
  }

  async #tell(ctx: RequestContext, instance: Instance, limits: Amounts): Promise<void> {
    const turn = nextMessage(instance)?.turn
    if (turn) await this.#deps.computeRpc.tell(ctx, turn, { instance: refOfInstance(instance), limits })
  }

  #limitsOf(host: string): Amounts {
    const state = this.#deps.hosts.stateOf(host)
    return state ? capacityOf(state) : NOTHING
  }

  // oxlint-disable-next-line max-params -- the end of an operation is just these
  async #fail(
    ctx: RequestContext,
    instance: Instance,
    error: NovaError,
    progress: ActionProgress,
  ): Promise<void> {
    const { taskState, vmState } = instance.status
    if (!taskState) return
    const now = toTimestamp(this.#deps.clock.now())
    this.#log
      .with(ctx, instance.metadata.uid)
      .warn('Could not schedule the instance', { reason: error.message })
    await this.#deps.instances.save(
      instance,
      {
        ...afterFailure({ taskState, vmState }, error),
        fault: toFault(error, { requestId: ctx.requestId, now }),
      },
      { taskState: [taskState], requestId: ctx.requestId },
    )
    const end = { result: 'Error', message: error.message, progress } as const
    await this.#deps.actions.end(recordOfMove(instance, ctx), end)
    this.#deps.events.record({
      object: instance,
      type: 'Warning',
      reason: error.name,
      message: `${error.message} (${ctx.requestId})`,
    })
  }
}

function recordOfMove(instance: Instance, { requestId }: RequestContext): ReturnType<typeof recordOf> {
  const { taskState = 'migrating', ...status } = instance.status
  return recordOf(instance, requestId, actionInFlight({ ...status, taskState }))
}
