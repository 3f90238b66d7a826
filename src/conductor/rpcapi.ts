import { z } from 'zod'
import { ACTION_NAMES } from '../apis/v1alpha1/states.ts'
import type { RequestContext } from '../common/context.ts'
import { actionProgress } from '../objects/action-progress.ts'
import {
  buildRequest,
  dataVolumeSource,
  type DiskSource,
  diskSource,
  flavorSize,
  type InstanceRef,
  instanceRef,
} from '../objects/build-request.ts'
import { expectedState } from '../objects/expected-state.ts'
import {
  askedBy,
  guestAddress,
  instanceUpdate,
  migration,
  powerState,
  taskState,
  vmState,
} from '../objects/instance-update.ts'
import type { RpcClient } from '../rpc/client.ts'
import { defineMethod } from '../rpc/method.ts'
import type { DeclaredQueue } from '../rpc/transport.ts'

/** The newest version of this API. 1.0: everything but what says otherwise. 1.1: guest_assign, disk_get, image_create, compute_queue_declare. */
export const CONDUCTOR_RPC_VERSION = '1.1'
export const CONDUCTOR_TOPIC = 'conductor'

/** What a compute agent sees of a migration: of the flavors, what they book. */
export const migrationView = migration.extend({
  oldFlavor: flavorSize.optional(),
  newFlavor: flavorSize.optional(),
})

/** What a compute agent sees of an instance. */
export const instanceView = z.object({
  ref: instanceRef,
  vmState,
  taskState: taskState.optional(),
  powerState: powerState.optional(),
  host: z.string().optional(),
  attempt: z.int().optional(),
  requestId: z.string().optional(),
  flavor: flavorSize.optional(),
  shutdownTimeoutSeconds: z.int().optional(),
  triedHosts: z.array(z.string()).optional(),
  launchedAt: z.string().optional(),
  addresses: z.array(guestAddress).optional(),
  action: askedBy.optional(),
  migration: migrationView.optional(),
  /** Its server group, with the namespace. */
  group: z.string().optional(),
  deleting: z.boolean(),
})
export type InstanceView = z.infer<typeof instanceView>

const actionName = z.enum(ACTION_NAMES)

/** What a state change means for the record of the operation it belongs to. */
export const actionNote = z.object({
  action: actionName,
  progress: actionProgress,
  /** Set when the operation has ended. */
  end: z.object({ result: z.enum(['Success', 'Error']), message: z.string().optional() }).optional(),
})
export type ActionNote = z.infer<typeof actionNote>

export const instanceGet = defineMethod({
  name: 'instance_get',
  version: '1.0',
  args: z.object({ instance: instanceRef }),
  result: instanceView,
})

export const instanceGetByHost = defineMethod({
  name: 'instance_get_by_host',
  version: '1.0',
  args: z.object({ host: z.string() }),
  result: z.array(instanceView),
})

export const instanceUpdateMethod = defineMethod({
  name: 'instance_update',
  version: '1.0',
  args: z.object({
    instance: instanceRef,
    update: instanceUpdate,
    expected: expectedState,
    note: actionNote.optional(),
  }),
  result: instanceView,
})
export type InstanceUpdateArgs = z.infer<typeof instanceUpdateMethod.args>

export const buildRequestGet = defineMethod({
  name: 'build_request_get',
  version: '1.0',
  args: z.object({ instance: instanceRef }),
  result: buildRequest,
})

/**
 * Which host may touch the guest of an instance. `take`: I get it; `allow`: it may move to where it is to go; `hand_over`: it has moved
 * there; `keep`: it stays mine after all; `let_go`: nobody
 * has it.
 */
export const guestAssign = defineMethod({
  name: 'guest_assign',
  version: '1.1',
  args: z.object({ instance: instanceRef, step: z.enum(['take', 'allow', 'hand_over', 'keep', 'let_go']) }),
})
export type GuestAssignArgs = z.infer<typeof guestAssign.args>

/** Where the disk comes from that an instance is to be rescued with. */
export const diskGet = defineMethod({
  name: 'disk_get',
  version: '1.1',
  args: z.object({ instance: instanceRef }),
  result: diskSource,
})

/** Makes the Image that a snapshot was taken for. */
export const imageCreate = defineMethod({
  name: 'image_create',
  version: '1.1',
  args: z.object({ instance: instanceRef, source: dataVolumeSource }),
})
export type ImageCreateArgs = z.infer<typeof imageCreate.args>

export const powerStateChanged = defineMethod({
  name: 'power_state_changed',
  version: '1.0',
  args: z.object({ instance: instanceRef, powerState }),
})
export type PowerStateChange = z.infer<typeof powerStateChanged.args>

export const computeNodeReport = defineMethod({
  name: 'compute_node_report',
  version: '1.0',
  args: z.object({
    host: z.string(),
    version: z.string(),
    hypervisorType: z.string(),
    architecture: z.string(),
    hostIp: z.string().optional(),
    availabilityZone: z.string(),
    inventory: z.object({ vcpus: z.int(), memoryMb: z.int(), diskGb: z.int() }),
    usage: z.object({ vcpus: z.int(), memoryMb: z.int(), diskGb: z.int(), runningVms: z.int() }),
  }),
})
export type ComputeNodeReport = z.infer<typeof computeNodeReport.args>

/** Asks for the queue of the agent's own casts: whose that is, the sender says. */
export const computeQueueDeclare = defineMethod({
  name: 'compute_queue_declare',
  version: '1.1',
  args: z.object({}),
  result: z.object({ since: z.string(), ackWaitMs: z.number().positive() }),
})

/** The client side of the conductor's messages: each is a call. nova.conductor.rpcapi. */
export class ConductorRpcApi {
  readonly #rpc: RpcClient

  constructor(deps: { readonly rpc: RpcClient }) {
    this.#rpc = deps.rpc
  }

  async instanceGet(ctx: RequestContext, instance: InstanceRef): Promise<InstanceView> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, instanceGet, { instance })
  }

  async instanceGetByHost(ctx: RequestContext, host: string): Promise<InstanceView[]> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, instanceGetByHost, { host })
  }

  async instanceUpdate(ctx: RequestContext, args: InstanceUpdateArgs): Promise<InstanceView> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, instanceUpdateMethod, args)
  }

  async buildRequestGet(
    ctx: RequestContext,
    instance: InstanceRef,
  ): Promise<z.infer<typeof buildRequestGet.result>> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, buildRequestGet, { instance })
  }

  async guestAssign(ctx: RequestContext, args: GuestAssignArgs): Promise<void> {
    await this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, guestAssign, args)
  }

  async diskGet(ctx: RequestContext, instance: InstanceRef): Promise<DiskSource> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, diskGet, { instance })
  }

  async imageCreate(ctx: RequestContext, args: ImageCreateArgs): Promise<void> {
    await this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, imageCreate, args)
  }

  async powerStateChanged(ctx: RequestContext, args: z.infer<typeof powerStateChanged.args>): Promise<void> {
    await this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, powerStateChanged, args)
  }

  async computeNodeReport(ctx: RequestContext, args: ComputeNodeReport): Promise<void> {
    await this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, computeNodeReport, args)
  }

  async computeQueueDeclare(ctx: RequestContext): Promise<DeclaredQueue> {
    return this.#rpc.call(ctx, { topic: CONDUCTOR_TOPIC }, computeQueueDeclare, {})
  }
}
