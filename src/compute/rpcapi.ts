import { z } from 'zod'
import type { RequestContext } from '../common/context.ts'
import { actionProgress } from '../objects/action-progress.ts'
import { buildRequest, type InstanceRef, instanceRef } from '../objects/build-request.ts'
import type { RpcClient } from '../rpc/client.ts'
import { defineMethod } from '../rpc/method.ts'

/**
 * The newest version of this API. 1.0: build_and_run_instance, stop_instance, start_instance, terminate_instance.
 * 1.1: update_available_resource.
 */
export const COMPUTE_RPC_VERSION = '1.1'
export const COMPUTE_TOPIC = 'compute'

export const buildAndRunInstance = defineMethod({
  name: 'build_and_run_instance',
  version: '1.0',
  args: z.object({
    request: buildRequest,
    /** With the host it makes the claim that the agent must still hold. */
    attempt: z.int().min(1),
    /** What the host can take in all; the agent tests its claim against it. */
    limits: z.object({ vcpus: z.int(), memoryMb: z.int(), diskGb: z.int() }),
    progress: actionProgress,
  }),
})
export type BuildAndRunArgs = z.infer<typeof buildAndRunInstance.args>

export const stopInstance = defineMethod({
  name: 'stop_instance',
  version: '1.0',
  args: z.object({ instance: instanceRef }),
})

export const startInstance = defineMethod({
  name: 'start_instance',
  version: '1.0',
  args: z.object({ instance: instanceRef }),
})

export const terminateInstance = defineMethod({
  name: 'terminate_instance',
  version: '1.0',
  args: z.object({ instance: instanceRef }),
})

export const updateAvailableResource = defineMethod({
  name: 'update_available_resource',
  version: '1.1',
  args: z.object({}),
})

/** The client side of the compute agents' messages: chooses the queue, nothing else. nova.compute.rpcapi. */
export class ComputeRpcApi {
  readonly #rpc: RpcClient

  constructor(deps: { readonly rpc: RpcClient }) {
    this.#rpc = deps.rpc
  }

  async buildAndRunInstance(ctx: RequestContext, host: string, args: BuildAndRunArgs): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, buildAndRunInstance, args)
  }

  async stopInstance(ctx: RequestContext, host: string, instance: InstanceRef): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, stopInstance, { instance })
  }

  async startInstance(ctx: RequestContext, host: string, instance: InstanceRef): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, startInstance, { instance })
  }

  async terminateInstance(ctx: RequestContext, host: string, instance: InstanceRef): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, terminateInstance, { instance })
  }

  /** Asks an agent to report its host anew: its ComputeNode is not there. */
  async updateAvailableResource(ctx: RequestContext, host: string): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, updateAvailableResource, {})
  }
}
