import { z } from 'zod'
import type { RequestContext } from '../common/context.ts'
import { actionProgress, placement } from '../objects/action-progress.ts'
import { type BuildRequest, buildRequest } from '../objects/build-request.ts'
import type { RpcClient } from '../rpc/client.ts'
import { defineMethod } from '../rpc/method.ts'

/** The newest version of this API. 1.0: build_instances, report_state. 1.1: move_instance, select_destinations. */
export const SCHEDULER_RPC_VERSION = '1.1'
export const SCHEDULER_TOPIC = 'scheduler'

export const buildInstances = defineMethod({
  name: 'build_instances',
  version: '1.0',
  args: z.object({
    request: buildRequest,
    progress: actionProgress,
    /** The resource version the sender saw: a cache that is behind it is not to be decided on. */
    seenVersion: z.string().optional(),
  }),
})
export type BuildInstancesArgs = z.infer<typeof buildInstances.args>

/** The instance as its resource says it is to become: its flavor is the one to be booked at the destination. */
export const moveInstance = defineMethod({ name: 'move_instance', version: '1.1', args: buildInstances.args })

export const reportState = defineMethod({
  name: 'report_state',
  version: '1.0',
  args: z.object({ host: z.string(), version: z.string() }),
})

/** Nova's, for one instance, and it claims nothing: for who wants to know where an instance would go. */
export const selectDestinations = defineMethod({
  name: 'select_destinations',
  version: '1.1',
  args: z.object({ request: buildRequest }),
  result: z.object({
    /** The next best, best first. */
    alternates: z.array(z.string()),
    placement,
    /** Without a host, why. */
    reason: z.string().optional(),
  }),
})
export type Destinations = z.infer<typeof selectDestinations.result>

/** The client side of the scheduler's messages: nova.scheduler.rpcapi and the conductor's build_instances. */
export class SchedulerRpcApi {
  readonly #rpc: RpcClient

  constructor(deps: { readonly rpc: RpcClient }) {
    this.#rpc = deps.rpc
  }

  /** Asks for a host for an instance that has none, and for it to be built there. */
  async buildInstances(ctx: RequestContext, args: BuildInstancesArgs): Promise<void> {
    await this.#rpc.cast(ctx, { topic: SCHEDULER_TOPIC }, buildInstances, args)
  }

  /** Asks for another host for an instance that moves, or for one again where it has none. Nova: the conductor's migrate_server. */
  async moveInstance(ctx: RequestContext, args: BuildInstancesArgs): Promise<void> {
    await this.#rpc.cast(ctx, { topic: SCHEDULER_TOPIC }, moveInstance, args)
  }

  /**
   * Asks where an instance would go if it were made now.
   * @throws InstanceGroupNotFound, OverQuota
   */
  async selectDestinations(ctx: RequestContext, request: BuildRequest): Promise<Destinations> {
    return this.#rpc.call(ctx, { topic: SCHEDULER_TOPIC }, selectDestinations, { request })
  }

  /** A compute agent's heartbeat. Nova: the service record's report_count. */
  async reportState(ctx: RequestContext, args: z.infer<typeof reportState.args>): Promise<void> {
    await this.#rpc.fanout(ctx, SCHEDULER_TOPIC, reportState, args)
  }
}
