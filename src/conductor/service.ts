import type { RequestContext } from '../common/context.ts'
import { whileAvailable } from '../objects/unavailable.ts'
import { describeSender } from '../rpc/sender.ts'
import type { RpcServer } from '../rpc/server.ts'
import { hostOfSender } from './compute-rights.ts'
import type { GuestAssigner } from './guest-assigner.ts'
import type { ComputeNodeReports } from './compute-node-reports.ts'
import type { ConductorManager } from './manager.ts'
import type { PowerStateChanges } from './power-state-changes.ts'
import type { SnapshotImages } from './snapshot-images.ts'
import {
  buildRequestGet,
  computeNodeReport,
  diskGet,
  guestAssign,
  imageCreate,
  instanceGet,
  instanceGetByHost,
  instanceUpdateMethod,
  powerStateChanged,
} from './rpcapi.ts'

/** The server side of the conductor's messages. */
export interface ConductorParts {
  readonly manager: ConductorManager
  readonly powerStates: PowerStateChanges
  readonly nodes: ComputeNodeReports
  readonly guests: GuestAssigner
  readonly images: SnapshotImages
}

/** Names the conductor's handlers to its server; an agent speaks only for its own host. */
export function serveConductor(server: RpcServer, parts: ConductorParts): void {
  const { manager, powerStates, nodes, guests, images } = parts
  server
    .handle(diskGet, async (_ctx, { instance }, { sender }) =>
      whileAvailable(() => manager.diskGet(hostOfSender(sender), instance)),
    )
    .handle(guestAssign, async (ctx, args, { sender }) =>
      whileAvailable(() => guests.assign(ctx, hostOfSender(sender), args)),
    )
    .handle(imageCreate, async (ctx, args, { sender }) =>
      whileAvailable(() => images.create(ctx, hostOfSender(sender), args)),
    )
    .handle(instanceGet, async (ctx, { instance }, { sender }) =>
      whileAvailable(() => manager.instanceGet(ctx, describeSender(sender), instance)),
    )
    .handle(instanceGetByHost, async (_ctx, _args, { sender }) =>
      whileAvailable(() => manager.instanceGetByHost(hostOfSender(sender))),
    )
    .handle(buildRequestGet, async (_ctx, { instance }, { sender }) =>
      whileAvailable(() => manager.buildRequestGet(hostOfSender(sender), instance)),
    )
    .handle(instanceUpdateMethod, async (ctx: RequestContext, args, { sender }) => {
      return whileAvailable(() => manager.instanceUpdate(ctx, hostOfSender(sender), args))
    })
    .handle(powerStateChanged, async (ctx, change, { sender }) => {
      await whileAvailable(() => powerStates.receive(ctx, hostOfSender(sender), change))
    })
    .handle(computeNodeReport, async (ctx, report, { sender }) => {
      const host = hostOfSender(sender)
      await whileAvailable(() => nodes.receive(ctx, { ...report, host }))
    })
}
