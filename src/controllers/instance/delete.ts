import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { type ComputeApi, FINALIZER } from '../../compute/api.ts'
import type { Clock } from '../../common/clock.ts'
import type { HostStates } from '../../compute/host-states.ts'
import { DONE, type Result } from '../../kube/controller.ts'
import { type ActionStore, recordOf } from '../../objects/action-store.ts'
import { NO_PROGRESS, StepRecorder } from '../../objects/action-progress.ts'
import type { Duty } from './duty.ts'
import type { RequestContexts } from './request.ts'
import type { TaskWatch } from './task-watch.ts'

/** Sees a deleted instance off: first its guest, then its finalizer. */
export class Delete implements Duty {
  readonly #api: ComputeApi
  readonly #actions: ActionStore
  readonly #tasks: TaskWatch
  readonly #contexts: RequestContexts
  readonly #hosts: HostStates
  readonly #clock: Clock

  constructor(deps: {
    readonly api: ComputeApi
    readonly actions: ActionStore
    readonly hosts: HostStates
    readonly clock: Clock
    readonly tasks: TaskWatch
    readonly contexts: RequestContexts
  }) {
    this.#api = deps.api
    this.#actions = deps.actions
    this.#tasks = deps.tasks
    this.#contexts = deps.contexts
    this.#hosts = deps.hosts
    this.#clock = deps.clock
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const { deletionTimestamp, finalizers = [] } = instance.metadata
    if (!deletionTimestamp) return undefined
    if (!finalizers.includes(FINALIZER)) return DONE
    const { vmState, taskState, host } = instance.status
    if (vmState === 'deleted') {
      await this.#api.release(this.#contexts.inFlight(instance), instance)
      return DONE
    }
    if (taskState !== 'deleting') {
      return this.#tasks.sent(await this.#api.begin(this.#contexts.of(instance), instance, 'delete'))
    }
    if (host && this.#hosts.isUp(host)) return undefined
    // Nova's local delete. No host had it when the delete began, and none can get it any more; or its host is down: what is left
    // of it goes with the Instance, which owns it, and the host's agent removes the rest when it comes back.
    const ctx = this.#contexts.inFlight(instance)
    const step = new StepRecorder(this.#clock, { name: 'api_local_delete', host: 'nova-api' }, NO_PROGRESS)
    // Whoever began the delete may not have come to its record.
    await this.#api.record(ctx, instance, 'delete')
    await this.#actions.end(recordOf(instance, ctx.requestId, 'delete'), {
      result: 'Success',
      progress: host ? step.succeeded() : NO_PROGRESS,
    })
    await this.#api.release(ctx, instance)
    return DONE
  }
}
