import { whileAvailable } from '../objects/unavailable.ts'
import type { RpcServer } from '../rpc/server.ts'
import type { ComputeManager } from './manager.ts'
import type { ResourceReporter } from './resource-reporter.ts'
import {
  buildAndRunInstance,
  startInstance,
  stopInstance,
  terminateInstance,
  updateAvailableResource,
} from './rpcapi.ts'

/** Names the agent's handlers to its server. */
export function serveCompute(
  server: RpcServer,
  deps: { readonly manager: ComputeManager; readonly reporter: ResourceReporter },
): void {
  const { manager, reporter } = deps
  server
    .handle(buildAndRunInstance, (ctx, args) => whileAvailable(() => manager.buildAndRunInstance(ctx, args)))
    .handle(stopInstance, (ctx, { instance }) => whileAvailable(() => manager.stopInstance(ctx, instance)))
    .handle(startInstance, (ctx, { instance }) => whileAvailable(() => manager.startInstance(ctx, instance)))
    .handle(terminateInstance, (ctx, { instance }) =>
      whileAvailable(() => manager.terminateInstance(ctx, instance)),
    )
    .handle(updateAvailableResource, () => whileAvailable(() => reporter.reportAnew()))
}
