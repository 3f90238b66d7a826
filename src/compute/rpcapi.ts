import { z } from 'zod'
import type { RequestContext } from '../common/context.ts'
import { actionProgress } from '../objects/action-progress.ts'
import { buildRequest, instanceRef } from '../objects/build-request.ts'
import type { RpcClient } from '../rpc/client.ts'
import type { HostMethod, HostTurn } from '../objects/next-message.ts'
import { defineMethod, type RpcMethod } from '../rpc/method.ts'

/**
 * The newest version of this API. 1.0: build_and_run_instance, stop_instance, start_instance, terminate_instance.
 * 1.1: update_available_resource. 1.2: the other operations, and get_console_output.
 */
export const COMPUTE_RPC_VERSION = '1.2'
export const COMPUTE_TOPIC = 'compute'

const amounts = z.object({ vcpus: z.int(), memoryMb: z.int(), diskGb: z.int() })

export const buildAndRunInstance = defineMethod({
  name: 'build_and_run_instance',
  version: '1.0',
  args: z.object({
    request: buildRequest,
    /** With the host it makes the claim that the agent must still hold. */
    attempt: z.int().min(1),
    /** What the host can take in all; the agent tests its claim against it. */
    limits: amounts,
    /** What the host may have of the instance's anti-affinity group, where it has one. */
    group: z.object({ group: z.string(), most: z.int().min(1) }).optional(),
    progress: actionProgress,
  }),
})
export type BuildAndRunArgs = z.infer<typeof buildAndRunInstance.args>

const hostArgs = z.object({
  instance: instanceRef,
  /** What the host can take in all, where it is to make a claim: the agent tests it. */
  limits: amounts.optional(),
})
export type HostArgs = z.infer<typeof hostArgs>

function aboutInstance(name: HostMethod, version: string): RpcMethod<HostArgs, void> {
  return defineMethod({ name, version, args: hostArgs })
}

/** The methods that name an instance and nothing else: what is to be done follows from its state, which the agent reads. */
export const HOST_METHODS: Readonly<Record<HostMethod, RpcMethod<HostArgs, void>>> = {
  stop_instance: aboutInstance('stop_instance', '1.0'),
  start_instance: aboutInstance('start_instance', '1.0'),
  terminate_instance: aboutInstance('terminate_instance', '1.0'),
  pause_instance: aboutInstance('pause_instance', '1.2'),
  unpause_instance: aboutInstance('unpause_instance', '1.2'),
  suspend_instance: aboutInstance('suspend_instance', '1.2'),
  resume_instance: aboutInstance('resume_instance', '1.2'),
  reboot_instance: aboutInstance('reboot_instance', '1.2'),
  rescue_instance: aboutInstance('rescue_instance', '1.2'),
  unrescue_instance: aboutInstance('unrescue_instance', '1.2'),
  rebuild_instance: aboutInstance('rebuild_instance', '1.2'),
  prep_resize: aboutInstance('prep_resize', '1.2'),
  resize_instance: aboutInstance('resize_instance', '1.2'),
  finish_resize: aboutInstance('finish_resize', '1.2'),
  confirm_resize: aboutInstance('confirm_resize', '1.2'),
  revert_resize: aboutInstance('revert_resize', '1.2'),
  finish_revert_resize: aboutInstance('finish_revert_resize', '1.2'),
  pre_live_migration: aboutInstance('pre_live_migration', '1.2'),
  live_migration: aboutInstance('live_migration', '1.2'),
  shelve_instance: aboutInstance('shelve_instance', '1.2'),
  shelve_offload_instance: aboutInstance('shelve_offload_instance', '1.2'),
  unshelve_instance: aboutInstance('unshelve_instance', '1.2'),
  snapshot_instance: aboutInstance('snapshot_instance', '1.2'),
  soft_delete_instance: aboutInstance('soft_delete_instance', '1.2'),
  restore_instance: aboutInstance('restore_instance', '1.2'),
}

export const getConsoleOutput = defineMethod({
  name: 'get_console_output',
  version: '1.2',
  args: z.object({ instance: instanceRef, lines: z.int().min(1) }),
  result: z.string(),
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

  /** Tells the agent of a host that it is its turn with an instance. */
  async tell(ctx: RequestContext, { host, method }: HostTurn, args: HostArgs): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, HOST_METHODS[method], args)
  }

  /** Asks for what the guest wrote to its serial console last. A call, as in Nova. */
  async getConsoleOutput(
    ctx: RequestContext,
    host: string,
    args: z.infer<typeof getConsoleOutput.args>,
  ): Promise<string> {
    return this.#rpc.call(ctx, { topic: COMPUTE_TOPIC, host }, getConsoleOutput, args)
  }

  /** Asks an agent to report its host anew: its ComputeNode is not there. */
  async updateAvailableResource(ctx: RequestContext, host: string): Promise<void> {
    await this.#rpc.cast(ctx, { topic: COMPUTE_TOPIC, host }, updateAvailableResource, {})
  }
}
