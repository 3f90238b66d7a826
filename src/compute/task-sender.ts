import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { nextMessage } from '../objects/next-message.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeRpcApi } from './rpcapi.ts'

/** Sends the message that an instance's task is waiting for, whoever has to act. */
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
    const next = nextMessage(instance)
    if (!next) return
    if (next.to === 'compute') {
      await this.#compute.tell(ctx, next.turn, { instance: refOfInstance(instance) })
      return
    }
    const args = {
      request: await this.#requests.resolve(instance),
      progress: NO_PROGRESS,
      seenVersion: instance.metadata.resourceVersion,
    }
    if (next.method === 'move_instance') await this.#scheduler.moveInstance(ctx, args)
    else await this.#scheduler.buildInstances(ctx, args)
  }
}
