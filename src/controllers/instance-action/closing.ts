import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import { OPERATIONS } from '../../apis/v1alpha1/operations.ts'
import { actionInFlight, isAsked, isImmediate, operationOf } from '../../apis/v1alpha1/which-operation.ts'
import type { ActionName } from '../../apis/v1alpha1/states.ts'
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
 * instance's write and the record's a service can die, or the API server be away. What nova-api does at once is ended by
 * ActionRequests.
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
    if (!isAccepted(action) || isImmediate(operation)) return { kind: 'done' }
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

  async #close(action: AcceptedAction, operation: ActionName, instance: Instance | undefined): Promise<void> {
    const { spec, metadata } = action
    const { namespace = '' } = metadata
    const ctx: RequestContext = { requestId: spec.requestId, user: spec.user, project: namespace }
    const end = endOf(action, instance)
    await this.#deps.store.end({ namespace, name: metadata.name }, { ...end, progress: NO_PROGRESS })
    this.#log.with(ctx, spec.instanceUid).info('Ended a record that was left open', {
      action: operation,
      result: end.result,
    })
  }
}

/** Whether the operation is in flight no more. */
function isOver({ spec }: AcceptedAction, operation: ActionName, instance: Instance | undefined): boolean {
  const { taskState, requestId = spec.requestId, ...status } = instance?.status ?? {}
  if (!taskState || requestId !== spec.requestId) return true
  return actionInFlight({ ...status, taskState }) !== operation
}

/** How an operation that is over must have ended, by what it left. */
function endOf({ spec }: AcceptedAction, instance: Instance | undefined): Omit<ActionEnd, 'progress'> {
  const fault = instance?.status.fault
  if (fault?.requestId === spec.requestId) return { result: 'Error', message: fault.message }
  if (hasSucceeded(spec, instance)) return { result: 'Success' }
  return { result: 'Error', message: 'It was over before its end was recorded: something else came first' }
}

function hasSucceeded(spec: AcceptedAction['spec'], instance: Instance | undefined): boolean {
  if (!instance) return spec.action === 'delete'
  const { vmState = 'building', launchedAt, requestId } = instance.status
  if (spec.action === 'create') return launchedAt !== undefined
  const { success } = OPERATIONS[operationOf(spec)]
  const wasLast = requestId === spec.requestId
  // A change of the spec that asks for nothing is a request as well; what a user asks for by an action is the last one or is not.
  if (isAsked(spec.action) && !wasLast) return false
  return success.includes(vmState) || (success.includes('unchanged') && wasLast)
}
