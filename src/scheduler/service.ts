import type { Logger } from '../common/log.ts'
import { whileAvailable } from '../objects/unavailable.ts'
import { describeSender, type Sender } from '../rpc/sender.ts'
import type { RpcServer } from '../rpc/server.ts'
import type { ServiceMonitor } from '../servicegroup/monitor.ts'
import type { SchedulerManager } from './manager.ts'
import type { MoveManager } from './move-manager.ts'
import { buildInstances, moveInstance, reportState, selectDestinations } from './rpcapi.ts'

/** Names the handlers of the scheduler's casts and calls; only the leader takes them. */
export function serveScheduler(
  server: RpcServer,
  { manager, moves }: { readonly manager: SchedulerManager; readonly moves: MoveManager },
): void {
  server
    .handle(buildInstances, (ctx, args, { sender }) =>
      whileAvailable(() => manager.buildInstances(ctx, args, agentOf(sender))),
    )
    .handle(moveInstance, (ctx, args, { sender }) =>
      whileAvailable(() => moves.moveInstance(ctx, args, agentOf(sender))),
    )
    .handle(selectDestinations, (ctx, { request }) => manager.selectDestinations(ctx, request))
}

function agentOf(sender: Sender): string | undefined {
  return sender.service === 'compute' ? sender.host : undefined
}

/**
 * Names the handler of heartbeats; every scheduler hears them, so that a new leader knows who is alive. An agent
 * speaks for its own host alone: another's silence must not be hidden.
 */
export function hearHeartbeats(
  server: RpcServer,
  deps: { readonly monitor: Pick<ServiceMonitor, 'seen'>; readonly log: Logger },
): void {
  const log = deps.log.named('nova.scheduler.manager')
  const said = new Set<string>()
  server.handle(reportState, async (_ctx, { host }, { sender }) => {
    if (sender.service === 'compute' && sender.host === host) {
      deps.monitor.seen(host)
      return
    }
    const from = describeSender(sender)
    if (said.has(from)) return
    said.add(from)
    log.warn("Ignored a heartbeat in another host's name", { sender: from, host })
  })
}
