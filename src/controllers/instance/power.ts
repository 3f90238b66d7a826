import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { ComputeApi } from '../../compute/api.ts'
import type { Result } from '../../kube/controller.ts'
import type { Duty } from './duty.ts'
import { type RequestContexts, specRequestId } from './request.ts'
import type { TaskWatch } from './task-watch.ts'

/** Starts and stops instances as their spec asks. */
export class Power implements Duty {
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
    const operation = wantedOperation(instance)
    if (!operation) return undefined
    await this.#api[operation](this.#contexts.of(instance), instance)
    return this.#tasks.sent(instance)
  }
}

/**
 * What the spec asks for that the state is not yet. An operation that failed is not begun again by itself: its
 * fault bears the request's id, and a new change of the spec makes a new request.
 */
export function wantedOperation(instance: Instance): 'start' | 'stop' | undefined {
  const { spec, status } = instance
  if (status.taskState || status.fault?.requestId === specRequestId(instance)) return undefined
  const canStop = status.vmState === 'active' || (status.vmState === 'error' && status.host !== undefined)
  const isNews = (status.observedGeneration ?? 0) < (instance.metadata.generation ?? 1)
  if (spec.powerState === 'Shutdown' && (status.vmState === 'active' || (canStop && isNews))) return 'stop'
  if (spec.powerState === 'Running' && status.vmState === 'stopped') return 'start'
  return undefined
}
