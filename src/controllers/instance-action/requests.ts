import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import { isAsked, isImmediate, operationOf } from '../../apis/v1alpha1/which-operation.ts'
import type { ActionName } from '../../apis/v1alpha1/states.ts'
import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import { InstanceNotFound } from '../../common/errors/instance-state.ts'
import { NovaError } from '../../common/errors/nova-error.ts'
import { isUnexpectedState } from '../../common/errors/preempted.ts'
import { requestIdOf } from '../../common/ids.ts'
import type { Logger } from '../../common/log.ts'
import type { ComputeApi } from '../../compute/api.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { Controller, DONE, type Result } from '../../kube/controller.ts'
import type { EventRecorder } from '../../kube/event-recorder.ts'
import type { Informer } from '../../kube/informer.ts'
import { keyOf } from '../../kube/resource.ts'
import { compareResourceVersions } from '../../kube/resource-version.ts'
import type { Index } from '../../kube/store.ts'
import { type AcceptedAction, isAccepted } from '../../objects/accepted-action.ts'
import { type ActionProgress, NO_PROGRESS, StepRecorder } from '../../objects/action-progress.ts'
import type { ActionStore } from '../../objects/action-store.ts'
import { refOfInstance } from '../../objects/build-request.ts'
import type { InstanceStore } from '../../objects/instance-store.ts'
import type { ImmediateOperation, Performed } from './asked.ts'

/** The index of what users asked for and has not ended, by the key of the instance. */
export const OPEN_REQUESTS = 'open-requests'
export const openRequests: Index<InstanceAction> = (action) => (isOpen(action) ? [instanceKeyOf(action)] : [])

interface ActionRequestsDeps {
  /** Has the index OPEN_REQUESTS. */
  readonly actions: Informer<InstanceAction>
  readonly instances: InstanceStore
  readonly store: ActionStore
  readonly api: ComputeApi
  readonly operations: Readonly<Partial<Record<ActionName, ImmediateOperation>>>
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Logger
}

export interface ActionRequestsOptions {
  /** The cluster stamps who asked: without that, anybody could write anything there. */
  readonly trustsRequester: boolean
  /** Instances whose actions are worked on at once. */
  readonly concurrency: number
}

const UNKNOWN_USER = '-'
/** For the watch to tell that an action is gone. */
const GONE_MS = 1_000
/** For whoever was faster to be done. */
const OVERTAKEN_MS = 100

/**
 * Accepts the actions that users create, and has them done. Those of one instance are taken one after the other, as they came: so
 * what a dead leader left half done is ended before any later one. What takes its time is only begun here, and while it does,
 * the next one is refused.
 * The counterpart of Nova's `POST /servers/{id}/action`.
 */
export class ActionRequests {
  readonly #deps: ActionRequestsDeps
  readonly #options: ActionRequestsOptions
  readonly #log: Logger
  readonly #controller: Controller
  #unsubscribe: (() => void) | undefined

  constructor(deps: ActionRequestsDeps, options: ActionRequestsOptions) {
    this.#deps = deps
    this.#options = options
    this.#log = deps.log.named('nova.api.instance_actions')
    this.#controller = new Controller(deps, {
      name: 'instance-action-requests',
      concurrency: options.concurrency,
      reconcile: (key) => this.#reconcile(key),
    })
  }

  start(): void {
    // Also when one ends or goes: then it is the next one's turn.
    this.#unsubscribe = this.#deps.actions.onChange(({ object }) => this.#enqueue(object))
    for (const action of this.#deps.actions.store.list()) this.#enqueue(action)
    this.#controller.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#controller.stop()
  }

  #enqueue(action: InstanceAction): void {
    if (isAsked(action.spec.action)) this.#controller.enqueue(instanceKeyOf(action))
  }

  async #reconcile(key: string): Promise<Result> {
    const [action] = this.#deps.actions.store.byIndex(OPEN_REQUESTS, key).toSorted(inOrder)
    if (!action) return DONE
    try {
      const instance = await this.#instanceOf(action)
      if (isImmediate(action.spec.action))
        await this.#carryOut(await this.#accepted(action, instance), instance)
      else await this.#begin(action, instance)
      return DONE
    } catch (error) {
      // Somebody took it back.
      if (isNotFound(error)) return { kind: 'after', ms: GONE_MS }
      if (isUnexpectedState(error)) return { kind: 'after', ms: OVERTAKEN_MS }
      throw error
    }
  }

  /** The very instance that the action is for, past every cache: it may have been created just before the action. */
  async #instanceOf(action: InstanceAction): Promise<Instance | undefined> {
    const { instance: name, instanceUid } = action.spec
    // It was not there when the action was accepted: one that came since is not meant.
    if (isAccepted(action) && instanceUid === undefined) return undefined
    const { namespace = '' } = action.metadata
    const found = await this.#deps.instances.find({ namespace, name })
    return instanceUid === undefined || found?.metadata.uid === instanceUid ? found : undefined
  }

  /**
   * Begins what takes its time; whoever ends it ends the record. It is accepted afterwards: so what is accepted was begun, and is
   * not begun again when it is over.
   */
  async #begin(action: InstanceAction, instance: Instance | undefined): Promise<void> {
    const { spec, metadata } = action
    // Whoever did it was faster than we were with accepting it: only its request is missing.
    if (action.status?.finishTime) {
      await this.#accepted(action, instance)
      return
    }
    const ctx = this.#contextOf(action, instance)
    if (!instance) return this.#refuse(action, instance, missing(spec))
    try {
      const isBegun = instance.status.requestId === ctx.requestId
      if (!isBegun)
        await this.#deps.api.begin(ctx, instance, operationOf(spec), { name: metadata.name, spec })
    } catch (error) {
      if (!isRefusal(error)) throw error
      return this.#refuse(action, instance, error)
    }
    await this.#accepted(action, instance)
  }

  /** Ended first and accepted then: so what is accepted and open was begun. */
  async #refuse(action: InstanceAction, instance: Instance | undefined, error: NovaError): Promise<void> {
    const end = { result: 'Error', message: error.message, progress: NO_PROGRESS } as const
    const closed = await this.#deps.store.close(action, end)
    this.#deps.actions.observe(closed)
    this.#tellRefusal(await this.#accepted(closed, instance), error, instance ?? action)
  }

  async #accepted(action: InstanceAction, instance: Instance | undefined): Promise<AcceptedAction> {
    if (isAccepted(action)) return action
    const { action: operation, instance: name } = action.spec
    const ctx = this.#contextOf(action, instance)
    const accepted = await this.#deps.store.accept(ctx, action, instance && refOfInstance(instance))
    this.#deps.actions.observe(accepted)
    if (isImmediate(operation)) {
      this.#log
        .with(ctx, instance?.metadata.uid)
        .info(`Accepted ${operation} of instance`, { name, action: action.metadata.name })
    }
    return accepted
  }

  /** The request that an action is: the same whoever works on it, and however often. */
  #contextOf({ spec, metadata }: InstanceAction, instance: Instance | undefined): RequestContext {
    const { user = UNKNOWN_USER } = spec
    const uid = instance?.metadata.uid
    return {
      requestId: requestIdOf(metadata.uid ?? '', 1),
      user: this.#options.trustsRequester ? user : UNKNOWN_USER,
      project: metadata.namespace ?? '-',
      ...(uid !== undefined && { instanceUid: uid }),
    }
  }

  async #carryOut(action: AcceptedAction, instance: Instance | undefined): Promise<void> {
    const { action: asked } = action.spec
    const operation = this.#deps.operations[asked]
    if (!operation) throw new Error(`nobody asks for ${asked} by an action`)
    if (!instance) return this.#fail(action, missing(action.spec), { on: action })
    const step = new StepRecorder(this.#deps.clock, { name: operation.step, host: 'nova-api' }, NO_PROGRESS)
    let performed: Performed
    try {
      performed = await operation.perform(contextOf(action), instance, action.spec)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return this.#fail(action, error, { on: instance, progress: step.failed(error) })
    }
    const { output } = performed
    await this.#close(action, { result: 'Success', progress: step.succeeded(), ...(output && { output }) })
    const { done } = operation
    const message = done.sentence(performed.instance)
    this.#tell(action, performed.instance, { type: 'Normal', reason: done.reason, message })
  }

  async #fail(
    action: AcceptedAction,
    error: NovaError,
    about: { readonly on: Instance | InstanceAction; readonly progress?: ActionProgress },
  ): Promise<void> {
    await this.#close(action, {
      result: 'Error',
      message: error.message,
      progress: about.progress ?? NO_PROGRESS,
    })
    this.#tellRefusal(action, error, about.on)
  }

  #tellRefusal(action: AcceptedAction, error: NovaError, on: Instance | InstanceAction): void {
    this.#log
      .with(contextOf(action), action.spec.instanceUid)
      .info(`Refused ${action.spec.action} of instance`, { reason: error.message })
    this.#tell(action, on, { type: 'Warning', reason: error.name, message: error.message })
  }

  async #close(action: AcceptedAction, end: Parameters<ActionStore['close']>[1]): Promise<void> {
    this.#deps.actions.observe(await this.#deps.store.close(action, end))
  }

  #tell(
    { spec }: AcceptedAction,
    object: Instance | InstanceAction,
    event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ): void {
    this.#deps.events.record({ object, ...event, message: `${event.message} (${spec.requestId})` })
  }
}

function contextOf({ spec, metadata }: AcceptedAction): RequestContext {
  const { requestId, user, instanceUid } = spec
  return {
    requestId,
    user,
    project: metadata.namespace ?? '-',
    ...(instanceUid !== undefined && { instanceUid }),
  }
}

function instanceKeyOf({ spec, metadata }: InstanceAction): string {
  return keyOf({ namespace: metadata.namespace ?? '', name: spec.instance })
}

/** What takes its time is nobody's concern here any more once it is accepted, and not before, even if it has ended. */
function isOpen(action: InstanceAction): boolean {
  const { spec, status } = action
  if (!isAsked(spec.action)) return false
  return isImmediate(spec.action) ? !status?.finishTime : !isAccepted(action)
}

function missing({ instance, instanceUid = instance }: InstanceAction['spec']): InstanceNotFound {
  return new InstanceNotFound({ instance: instanceUid })
}

/** Whether what was asked for cannot be, or not now; whoever was overtaken looks again. */
function isRefusal(error: unknown): error is NovaError {
  return error instanceof NovaError && error.outcome === 'terminal' && !isUnexpectedState(error)
}

/** What is begun goes first, then what was created first; the API server's clock has whole seconds only. */
function inOrder(a: InstanceAction, b: InstanceAction): number {
  if (isAccepted(a) !== isAccepted(b)) return isAccepted(a) ? -1 : 1
  const [first = '', second = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  if (first !== second) return first < second ? -1 : 1
  return compareResourceVersions(a.metadata.resourceVersion, b.metadata.resourceVersion)
}
