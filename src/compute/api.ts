import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../apis/v1alpha1/instance-action.ts'
import { OPERATIONS, type OperationName } from '../apis/v1alpha1/operations.ts'
import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import type { ActionName, TaskState } from '../apis/v1alpha1/states.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import type { NovaError } from '../common/errors/nova-error.ts'
import { creationRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { Informer } from '../kube/informer.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { toFault } from '../objects/instance-fault.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { checkAllowed } from './check-allowed.ts'
import type { FreedHosts } from './freed-hosts.ts'
import type { HostStates } from './host-states.ts'
import type { Preparation } from './preparation.ts'
import { specToFollow } from './spec-to-follow.ts'
import type { TaskSender } from './task-sender.ts'

/** Keeps an instance until nothing of it is left on any host. */
export const FINALIZER = 'compute.kilonova.dev/instance'

interface ComputeApiDeps {
  readonly client: KubeClient
  readonly cache: Informer<Instance>
  readonly instances: InstanceStore
  readonly actions: ActionStore
  readonly preparation: Preparation
  readonly hosts: HostStates
  readonly events: EventRecorder
  readonly sender: TaskSender
  readonly freed: FreedHosts
  readonly clock: Clock
  readonly log: Logger
}

/** The InstanceAction that asks for an operation. */
export interface AskedBy {
  readonly name: string
  readonly spec: InstanceActionSpec
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

  /**
   * Begins an operation that takes its time: from here on its task keeps others out, and whose turn it is has been told.
   *
   * @param asked the user's InstanceAction; without one the operation was asked for on the Instance, and gets its record here
   * @throws InstanceIsLocked, InstanceNotReady, InstanceInvalidState, ServiceUnavailable, ComputeServiceInUse where it is not
   *   allowed; FlavorNotFound, ImageNotFound, … where it cannot be done
   */
  // oxlint-disable-next-line max-params -- who asks for what to be done to what, and by what
  async begin(
    ctx: RequestContext,
    instance: Instance,
    name: OperationName,
    asked?: AskedBy,
  ): Promise<Instance> {
    const operation = OPERATIONS[name]
    const { vmState, taskState } = instance.status
    const ref = refOfInstance(instance)
    const [task] = operation.path
    if (!task) throw new Error(`${name} has no task`)
    this.check(instance, name, { byUser: asked !== undefined })
    const prepared = await this.#deps.preparation.of(instance, name, asked?.spec)
    const [begun] = await Promise.all([
      this.#deps.instances.save(
        instance,
        {
          ...prepared,
          taskState: task,
          requestId: ctx.requestId,
          ...(asked ? { action: askedByOf(asked) } : toldBySpec(instance)),
        },
        { vmState: [vmState ?? 'building'], taskState: [taskState ?? null] },
      ),
      asked ? undefined : this.#deps.actions.begin(ctx, ref, operation.action),
    ])
    this.#log.with(ctx, ref.uid).info(`Accepted ${operation.action} of instance`, {
      name: ref.name,
      host: begun.status.host ?? null,
      task_state: task,
    })
    await this.#follow(begun)
    await this.#deps.sender.send(ctx, begun)
    await this.#deps.freed.tell(ctx, instance, begun)
    if (taskState) await this.#endOvertaken(ctx, instance, taskState, operation.action)
    return begun
  }

  /** {@link checkAllowed}, by the hosts that nova-api sees up. */
  check(instance: Instance, name: OperationName, { byUser }: { readonly byUser: boolean }): void {
    checkAllowed(instance, name, { byUser, isUp: (host) => this.#deps.hosts.isUp(host) })
  }

  /** Deletes an instance for good that was deleted for a while. Nova: `_reclaim_queued_deletes` */
  async reclaim(ctx: RequestContext, instance: Instance): Promise<void> {
    const { namespace = '', name, uid = '' } = instance.metadata
    await this.#deps.client.delete(INSTANCE, { namespace, name }, { uid })
    this.#log.with(ctx, uid).info('Reclaimed a soft-deleted instance', { name })
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
    await this.#deps.freed.tell(ctx, instance, { status: {} })
    this.#log.with(ctx, uid).info('Deleted instance', { name })
  }

  /** Notes a change of spec that asks for no operation. */
  async acknowledge(ctx: RequestContext, instance: Instance): Promise<void> {
    const update = { observedGeneration: instance.metadata.generation, requestId: ctx.requestId }
    await this.#deps.instances.save(instance, update, {})
  }

  /**
   * Does what may be missing of the beginning of the operation in flight: whoever began it may have died between
   * its writes.
   */
  async record(ctx: RequestContext, instance: Instance, action: ActionName): Promise<void> {
    if (!isAskedByAction(ctx, instance)) await this.#deps.actions.begin(ctx, refOfInstance(instance), action)
    await this.#follow(instance)
  }

  /** Ends an operation with a fault: what the user asked for cannot be done. */
  async fail(ctx: RequestContext, instance: Instance, action: ActionName, failure: Failure): Promise<void> {
    const { error, update } = failure
    const { uid = '' } = instance.metadata
    const fault = toFault(error, {
      requestId: ctx.requestId,
      host: instance.status.host,
      now: toTimestamp(this.#deps.clock.now()),
    })
    const failed = await this.#deps.instances.save(
      instance,
      { ...update, fault, requestId: ctx.requestId, observedGeneration: instance.metadata.generation },
      // Of this very attempt: the next host may have it by now.
      {
        taskState: [instance.status.taskState ?? null],
        host: instance.status.host ?? null,
        attempt: instance.status.attempt ?? 0,
      },
    )
    await this.#deps.actions.end(recordOf(instance, ctx.requestId, action), {
      result: 'Error',
      message: error.message,
      progress: failure.progress ?? NO_PROGRESS,
    })
    await this.#deps.freed.tell(ctx, instance, failed)
    this.#log.with(ctx, uid).warn('Operation failed', { action, reason: error.message })
    this.#deps.events.record({
      object: instance,
      type: 'Warning',
      reason: error.name,
      message: `${error.message} (${ctx.requestId})`,
    })
  }

  /** Ends the record of an operation that another takes the place of: nobody else does. */
  // oxlint-disable-next-line max-params -- what was overtaken, and by what
  async #endOvertaken(
    ctx: RequestContext,
    instance: Instance,
    taskState: TaskState,
    by: ActionName,
  ): Promise<void> {
    const { uid = '' } = instance.metadata
    const requestId = instance.status.requestId ?? creationRequestId(uid)
    if (requestId === ctx.requestId) return
    const action = actionInFlight({ ...instance.status, taskState })
    await this.#deps.actions.end(recordOf(instance, requestId, action), {
      result: 'Error',
      message: `Overtaken by ${by}`,
      progress: NO_PROGRESS,
    })
  }

  /** What is wanted follows what was asked for: else the controller would undo it as soon as it is done. */
  async #follow(instance: Instance): Promise<void> {
    const spec = specToFollow(instance)
    if (!spec) return
    const { namespace = '', name } = instance.metadata
    this.#deps.cache.observe(await this.#deps.client.mergePatch(INSTANCE, { namespace, name }, { spec }))
  }
}

/** How an operation failed, and the state it leaves. */
export interface Failure {
  readonly error: NovaError
  readonly update: InstanceUpdate
  readonly progress?: typeof NO_PROGRESS | undefined
}

/** Whether the operation in flight was asked for by an InstanceAction, which is its record. */
function isAskedByAction(ctx: RequestContext, { status }: Instance): boolean {
  return status.action !== undefined && status.requestId === ctx.requestId
}

function askedByOf({ name, spec }: AskedBy): NonNullable<InstanceUpdate['action']> {
  const { action: operation, image, imageName } = spec
  return {
    name,
    operation,
    ...(image !== undefined && { image }),
    ...(imageName !== undefined && { imageName }),
  }
}

function toldBySpec({ metadata, status }: Instance): InstanceUpdate {
  return { observedGeneration: metadata.generation, ...(status.action && { action: null }) }
}
