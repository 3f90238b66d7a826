import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import { ACTION_OF_TASK, isAsked, type TaskAction } from '../../apis/v1alpha1/states.ts'
import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import type { Logger } from '../../common/log.ts'
import { Controller, type Result } from '../../kube/controller.ts'
import type { Informer } from '../../kube/informer.ts'
import { keyOf, refOf } from '../../kube/resource.ts'
import { type AcceptedAction, isAccepted } from '../../objects/accepted-action.ts'
import { NO_PROGRESS } from '../../objects/action-progress.ts'
import type { ActionEnd, ActionStore } from '../../objects/action-store.ts'

export interface ClosingOptions {
  /** How long whoever ended an operation has for writing it into its record. */
  readonly graceMs: number
}

interface ClosingDeps {
  readonly actions: Informer<InstanceAction>
  readonly instances: Informer<Instance>
  readonly store: ActionStore
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Ends the records of operations that are over. Usually whoever ends an operation does; but between the
 * instance's write and the record's a service can die, or the API server be away. What users ask for by an action of
 * their own is ended by ActionRequests.
 */
export class ActionClosing {
  readonly #deps: ClosingDeps
  readonly #options: ClosingOptions
  readonly #log: Logger
  readonly #controller: Controller
  /** Records whose operation was over when they were last looked at, by uid. */
  readonly #over = new Set<string>()
  #unsubscribe: (() => void) | undefined

  constructor(deps: ClosingDeps, options: ClosingOptions) {
    this.#deps = deps
    this.#options = options
    this.#log = deps.log.named('nova.compute.api')
    this.#controller = new Controller(deps, {
      name: 'instance-action-closing',
      concurrency: 1,
      reconcile: (key) => this.#reconcile(key),
    })
  }

  start(): void {
    this.#unsubscribe = this.#deps.actions.onChange(({ type, object }) => {
      if (type !== 'deleted' && !object.status?.finishTime) this.#controller.enqueue(keyOf(refOf(object)))
      else this.#over.delete(object.metadata.uid ?? '')
    })
    for (const action of this.#deps.actions.store.list()) this.#controller.enqueue(keyOf(refOf(action)))
    this.#controller.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#controller.stop()
  }

  async #reconcile(key: string): Promise<Result> {
    const action = this.#deps.actions.store.get(key)
    const uid = action?.metadata.uid ?? ''
    if (!action || action.status?.finishTime) return { kind: 'done' }
    const { action: operation } = action.spec
    if (!isAccepted(action) || isAsked(operation)) return { kind: 'done' }
    const instance = this.#instanceOf(action)
    if (!isOver(action, operation, instance)) {
      this.#over.delete(uid)
      return { kind: 'after', ms: this.#options.graceMs }
    }
    if (!this.#over.has(uid)) {
      this.#over.add(uid)
      return { kind: 'after', ms: this.#options.graceMs }
    }
    await this.#close(action, operation, instance)
    this.#over.delete(uid)
    return { kind: 'done' }
  }

  #instanceOf({ spec, metadata }: InstanceAction): Instance | undefined {
    const found = this.#deps.instances.store.get(
      keyOf({ namespace: metadata.namespace ?? '', name: spec.instance }),
    )
    return found?.metadata.uid === spec.instanceUid ? found : undefined
  }

  async #close(
    { spec, metadata }: AcceptedAction,
    operation: TaskAction,
    instance: Instance | undefined,
  ): Promise<void> {
    const { namespace = '' } = metadata
    const ctx: RequestContext = { requestId: spec.requestId, user: spec.user, project: namespace }
    const ref = { namespace, name: spec.instance, uid: spec.instanceUid ?? '' }
    const end = endOf(operation, spec.requestId, instance)
    await this.#deps.store.end(ctx, ref, operation, { ...end, progress: NO_PROGRESS })
    this.#log.with(ctx, ref.uid).info('Ended a record that was left open', {
      action: operation,
      result: end.result,
    })
  }
}

/** Whether the operation is in flight no more. */
function isOver({ spec }: AcceptedAction, operation: TaskAction, instance: Instance | undefined): boolean {
  const { taskState, requestId = spec.requestId } = instance?.status ?? {}
  return !taskState || ACTION_OF_TASK[taskState] !== operation || requestId !== spec.requestId
}

/** How an operation that is over must have ended, by what it left. */
function endOf(
  action: TaskAction,
  requestId: string,
  instance: Instance | undefined,
): Omit<ActionEnd, 'progress'> {
  const fault = instance?.status.fault
  if (fault?.requestId === requestId) return { result: 'Error', message: fault.message }
  if (hasSucceeded(action, instance)) return { result: 'Success' }
  return { result: 'Error', message: 'It was over before its end was recorded: something else came first' }
}

function hasSucceeded(action: TaskAction, instance: Instance | undefined): boolean {
  switch (action) {
    case 'create':
      return instance?.status.launchedAt !== undefined
    case 'start':
      return instance?.status.vmState === 'active'
    case 'stop':
      return instance?.status.vmState === 'stopped'
    case 'delete':
      return instance === undefined || instance.status.vmState === 'deleted'
  }
}
