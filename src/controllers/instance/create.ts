import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { NovaError } from '../../common/errors/nova-error.ts'
import { type ComputeApi, FINALIZER } from '../../compute/api.ts'
import type { Result } from '../../kube/controller.ts'
import type { Duty } from './duty.ts'
import type { TaskWatch } from './task-watch.ts'
import type { RequestContexts } from './request.ts'

/** Accepts instances that are new. */
export class Create implements Duty {
  readonly #api: ComputeApi
  readonly #tasks: TaskWatch
  readonly #contexts: RequestContexts

  constructor(deps: {
    readonly api: ComputeApi
    readonly tasks: TaskWatch
    readonly contexts: RequestContexts
  }) {
    this.#api = deps.api
    this.#tasks = deps.tasks
    this.#contexts = deps.contexts
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const { finalizers = [], deletionTimestamp } = instance.metadata
    if (finalizers.includes(FINALIZER) || deletionTimestamp) return undefined
    const ctx = this.#contexts.inFlight(instance)
    try {
      await this.#api.create(ctx, instance)
      return this.#tasks.sent(instance)
    } catch (error) {
      if (!(error instanceof NovaError) || error.outcome !== 'terminal') throw error
      // The write of the finalizer went before: fail() reads the instance anew where it must.
      await this.#api.fail(ctx, instance, 'create', { error, update: { vmState: 'error', taskState: null } })
      return { kind: 'done' }
    }
  }
}
