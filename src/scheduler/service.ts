import { whileAvailable } from '../objects/unavailable.ts'
import type { RpcServer } from '../rpc/server.ts'
import type { ServiceMonitor } from '../servicegroup/monitor.ts'
import type { SchedulerManager } from './manager.ts'
import { buildInstances, reportState } from './rpcapi.ts'

/** Names the handlers of the scheduler's casts; only the leader takes them. */
export function serveScheduler(server: RpcServer, manager: SchedulerManager): void {
  server.handle(buildInstances, (ctx, args) => whileAvailable(() => manager.buildInstances(ctx, args)))
}

/** Names the handler of heartbeats; every scheduler hears them, so that a new leader knows who is alive. */
export function hearHeartbeats(server: RpcServer, monitor: ServiceMonitor): void {
  server.handle(reportState, async (_ctx, { host }) => monitor.seen(host))
}
