import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { type ComputeApi, FINALIZER } from '../../compute/api.ts'
import type { Result } from '../../kube/controller.ts'
import type { ActionStore } from '../../objects/action-store.ts'
import { NO_PROGRESS } from '../../objects/action-progress.ts'
import { refOfInstance } from '../../objects/build-request.ts'
import type { Duty } from './duty.ts'
import type { RequestContexts } from './request.ts'
import type { TaskWatch } from './task-watch.ts'

/** Sees a deleted instance off: first its guest, then its finalizer. */
export class Delete implements Duty {
  readonly #api: ComputeApi
  readonly #actions: ActionStore
  readonly #tasks: TaskWatch
  readonly #contexts: RequestContexts

  constructor(deps: {
    readonly api: ComputeApi
    readonly actions: ActionStore
    readonly tasks: TaskWatch
    readonly contexts: RequestContexts
  }) {
    this.#api = deps.api
    this.#actions = deps.actions
    this.#tasks = deps.tasks
    this.#contexts = deps.contexts
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const { deletionTimestamp, finalizers = [] } = instance.metadata
    if (!deletionTimestamp) return undefined
    if (!finalizers.includes(FINALIZER)) return { kind: 'done' }
    const { vmState, taskState, host } = instance.status
    if (vmState === 'deleted') {
      await this.#api.release(this.#contexts.inFlight(instance), instance)
      return { kind: 'done' }
    }
    if (taskState !== 'deleting') {
      await this.#api.delete(this.#contexts.of(instance), instance)
      return this.#tasks.sent(instance)
    }
    if (host) return undefined
    // No host had it when the delete began, and none can get it any more: there is nothing to remove.
    const ctx = this.#contexts.inFlight(instance)
    // Whoever began the delete may not have come to its record.
    await this.#api.record(ctx, instance, 'delete')
    await this.#actions.end(ctx, refOfInstance(instance), 'delete', {
      result: 'Success',
      progress: NO_PROGRESS,
    })
    await this.#api.release(ctx, instance)
    return { kind: 'done' }
  }
}
