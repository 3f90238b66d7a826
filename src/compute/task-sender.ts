import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeRpcApi } from './rpcapi.ts'

/**
 * Sends the message that an instance's task is waiting for. It is derived from the resource alone, so that a
 * lost message can be sent again by anybody at any time.
 */
export class TaskSender {
  readonly #requests: BuildRequestResolver
  readonly #scheduler: SchedulerRpcApi
  readonly #compute: ComputeRpcApi

  constructor(deps: {
    readonly requests: BuildRequestResolver
    readonly scheduler: SchedulerRpcApi
    readonly compute: ComputeRpcApi
  }) {
    this.#requests = deps.requests
    this.#scheduler = deps.scheduler
    this.#compute = deps.compute
  }

  /** @throws FlavorNotFound, ImageNotFound, … when the instance can never be built as it is */
  async send(ctx: RequestContext, instance: Instance): Promise<void> {
    const { taskState, host } = instance.status
    const ref = refOfInstance(instance)
    switch (taskState) {
      case 'scheduling':
      case 'spawning': {
        // Also for an instance that has its host: the scheduler sends it there with what the host can take.
        const request = await this.#requests.resolve(instance)
        return this.#scheduler.buildInstances(ctx, {
          request,
          progress: NO_PROGRESS,
          seenVersion: instance.metadata.resourceVersion,
        })
      }
      case 'powering-off':
        return host ? this.#compute.stopInstance(ctx, host, ref) : undefined
      case 'powering-on':
        return host ? this.#compute.startInstance(ctx, host, ref) : undefined
      case 'deleting':
        return host ? this.#compute.terminateInstance(ctx, host, ref) : undefined
      case undefined:
        return
    }
  }
}
