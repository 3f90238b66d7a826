import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import {
  ACTION_OF_TASK,
  OPERATIONS,
  refusalOf,
  type TaskAction,
  type TaskState,
} from '../apis/v1alpha1/states.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { InstanceInvalidState, type NovaError, PolicyNotAuthorized } from '../common/errors.ts'
import { creationRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { Informer } from '../kube/informer.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import type { ActionStore } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { type InstanceUpdate, toFault } from '../objects/instance-update.ts'
import type { TaskSender } from './task-sender.ts'

/** Keeps an instance until nothing of it is left on any host. */
export const FINALIZER = 'compute.kilonova.dev/instance'

interface ComputeApiDeps {
  readonly client: KubeClient
  readonly cache: Informer<Instance>
  readonly instances: InstanceStore
  readonly actions: ActionStore
  readonly events: EventRecorder
  readonly sender: TaskSender
  readonly clock: Clock
  readonly log: Logger
}

/**
 * What may be done to an instance, and when: checks the state, sets the task, records the action, and hands
 * over by message. Every method may be repeated. nova.compute.api.
 */
export class ComputeApi {
  readonly #deps: ComputeApiDeps
  readonly #log: Logger

  constructor(deps: ComputeApiDeps) {
    this.#deps = deps
    this.#log = deps.log.named('nova.compute.api')
  }

  /** Accepts a new instance: from here on it has a finalizer, a record, and is on its way to the scheduler. */
  async create(ctx: RequestContext, instance: Instance): Promise<void> {
    const ref = refOfInstance(instance)
    const { finalizers = [], resourceVersion } = instance.metadata
    // Before any outside effect: what has no finalizer could vanish and leave a guest behind.
    const [accepted] = await Promise.all([
      this.#deps.client.mergePatch(
        INSTANCE,
        { namespace: ref.namespace, name: ref.name },
        { metadata: { finalizers: [...finalizers, FINALIZER] } },
        { resourceVersion },
      ),
      this.#deps.actions.begin(ctx, ref, 'create'),
    ])
    this.#deps.cache.observe(accepted)
    this.#log.with(ctx, ref.uid).info('Accepted create of instance', {
      name: ref.name,
      flavor: instance.spec.flavor,
      image: instance.spec.image,
    })
    await this.#deps.sender.send(ctx, accepted)
  }

  /** @throws InstanceInvalidState */
  async stop(ctx: RequestContext, instance: Instance): Promise<void> {
    await this.#begin(ctx, instance, 'stop')
  }

  /** @throws InstanceInvalidState */
  async start(ctx: RequestContext, instance: Instance): Promise<void> {
    await this.#begin(ctx, instance, 'start')
  }

  /** Begins the end of an instance. One that no host ever had is done at once. */
  async delete(ctx: RequestContext, instance: Instance): Promise<void> {
    await this.#begin(ctx, instance, 'delete')
  }

  /** Lets a deleted instance go. */
  async release(ctx: RequestContext, instance: Instance): Promise<void> {
    const { namespace = '', name, uid = '', finalizers = [], resourceVersion } = instance.metadata
    await this.#deps.client.mergePatch(
      INSTANCE,
      { namespace, name },
      { metadata: { finalizers: finalizers.filter((one) => one !== FINALIZER) } },
      { resourceVersion },
    )
    this.#log.with(ctx, uid).info('Deleted instance', { name })
  }

  /**
   * Locks an instance: until it is unlocked its owner can change nothing of it. With `override` the lock is an
   * administrator's, and takes the place of an owner's. An owner's lock of what is locked already changes nothing.
   * Gives the instance as it then is. nova.compute.api.API.lock
   */
  async lock(
    ctx: RequestContext,
    instance: Instance,
    { override = false, reason }: { readonly override?: boolean; readonly reason?: string },
  ): Promise<Instance> {
    const { lockedBy, lockedReason } = instance.status
    const by = override ? 'admin' : 'owner'
    const isThere = lockedBy === by && (reason ?? lockedReason) === lockedReason
    if (isThere || (lockedBy && !override)) return instance
    const locked = await this.#deps.instances.save(
      instance,
      { lockedBy: by, ...(reason !== undefined && { lockedReason: reason }) },
      { lockedBy: lockedBy ?? null },
    )
    this.#log.with(ctx, instance.metadata.uid).info('Locked instance', { locked_by: by })
    return locked
  }

  /**
   * Unlocks an instance, whether it is locked or not, and gives it as it then is. nova.compute.api.API.unlock, and what
   * its API controller checks.
   * @throws PolicyNotAuthorized for an administrator's lock, without `override`
   */
  async unlock(
    ctx: RequestContext,
    instance: Instance,
    { override = false }: { readonly override?: boolean },
  ): Promise<Instance> {
    const { lockedBy } = instance.status
    const { uid = '' } = instance.metadata
    if (!lockedBy) return instance
    if (lockedBy === 'admin' && !override) {
      throw new PolicyNotAuthorized({
        policy: 'os_compute_api:os-lock-server:unlock:unlock_override',
        reason: `Instance ${uid} was locked by an administrator, who unlocks it with override`,
      })
    }
    const update = { lockedBy: null, lockedReason: null }
    const unlocked = await this.#deps.instances.save(instance, update, { lockedBy })
    this.#log.with(ctx, uid).info('Unlocked instance', { locked_by: lockedBy })
    return unlocked
  }

  /** Notes a change of spec that asks for no operation. */
  async acknowledge(ctx: RequestContext, instance: Instance): Promise<void> {
    const update = { observedGeneration: instance.metadata.generation, requestId: ctx.requestId }
    await this.#deps.instances.save(instance, update, {})
  }

  /**
   * Makes the record of the operation in flight, unless it is there: whoever began it may have died between its
   * two writes.
   */
  async record(ctx: RequestContext, instance: Instance, action: TaskAction): Promise<void> {
    await this.#deps.actions.begin(ctx, refOfInstance(instance), action)
  }

  /** Ends the operation in flight with a fault: what the user asked for cannot be done. */
  async fail(ctx: RequestContext, instance: Instance, action: TaskAction, failure: Failure): Promise<void> {
    const { error, update } = failure
    const ref = refOfInstance(instance)
    const fault = toFault(error, {
      requestId: ctx.requestId,
      host: instance.status.host,
      now: toTimestamp(this.#deps.clock.now()),
    })
    await this.#deps.instances.save(
      instance,
      { ...update, fault, requestId: ctx.requestId, observedGeneration: instance.metadata.generation },
      // Of this very attempt: the next host may have it by now.
      {
        taskState: [instance.status.taskState ?? null],
        host: instance.status.host ?? null,
        attempt: instance.status.attempt ?? 0,
      },
    )
    const end = {
      result: 'Error',
      message: error.message,
      progress: failure.progress ?? NO_PROGRESS,
    } as const
    await this.#deps.actions.end(ctx, ref, action, end)
    this.#log.with(ctx, ref.uid).warn('Operation failed', { action, reason: error.message })
    this.#deps.events.record({
      object: instance,
      type: 'Warning',
      reason: error.name,
      message: `${error.message} (${ctx.requestId})`,
    })
  }

  async #begin(ctx: RequestContext, instance: Instance, action: TaskAction): Promise<void> {
    const operation = OPERATIONS[action]
    const { vmState, taskState } = instance.status
    const ref = refOfInstance(instance)
    const refusal = refusalOf(operation, vmState ?? 'building', taskState)
    if (refusal) throw new InstanceInvalidState({ instance: ref.uid, method: action, ...refusal })
    const [begun] = await Promise.all([
      this.#deps.instances.save(
        instance,
        {
          taskState: operation.taskState,
          requestId: ctx.requestId,
          observedGeneration: instance.metadata.generation,
        },
        { vmState: [vmState ?? 'building'], taskState: [taskState ?? null] },
      ),
      this.#deps.actions.begin(ctx, ref, action),
    ])
    this.#log.with(ctx, ref.uid).info(`Accepted ${action} of instance`, {
      name: ref.name,
      host: begun.status.host ?? null,
      task_state: operation.taskState,
    })
    await this.#deps.sender.send(ctx, begun)
    if (taskState && taskState !== operation.taskState)
      await this.#endOvertaken(ctx, instance, taskState, action)
  }

  /** Nobody else ends the record of an operation that another took the place of. */
  // oxlint-disable-next-line max-params -- what was overtaken, and by what
  async #endOvertaken(
    ctx: RequestContext,
    instance: Instance,
    task: TaskState,
    by: TaskAction,
  ): Promise<void> {
    const ref = refOfInstance(instance)
    const requestId = instance.status.requestId ?? creationRequestId(ref.uid)
    await this.#deps.actions.end({ ...ctx, requestId }, ref, ACTION_OF_TASK[task], {
      result: 'Error',
      message: `Overtaken by ${by}`,
      progress: NO_PROGRESS,
    })
  }
}

/** How an operation failed, and the state it leaves. */
export interface Failure {
  readonly error: NovaError
  readonly update: InstanceUpdate
  readonly progress?: typeof NO_PROGRESS | undefined
}
