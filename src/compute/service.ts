import { whileAvailable } from '../objects/unavailable.ts'
import type { RpcServer } from '../rpc/server.ts'
import type { ComputeManager } from './manager.ts'
import type { ResourceReporter } from './resource-reporter.ts'
import type { HostMethod } from '../objects/next-message.ts'
import { buildAndRunInstance, getConsoleOutput, HOST_METHODS, updateAvailableResource } from './rpcapi.ts'

/** Names the agent's handlers to its server. */
export function serveCompute(
  server: RpcServer,
  deps: { readonly manager: ComputeManager; readonly reporter: ResourceReporter },
): void {
  const { manager, reporter } = deps
  server
    .handle(buildAndRunInstance, (ctx, args) => whileAvailable(() => manager.buildAndRunInstance(ctx, args)))
    .handle(getConsoleOutput, (ctx, { instance, lines }) =>
      whileAvailable(() => manager.getConsoleOutput(ctx, instance, lines)),
    )
    .handle(updateAvailableResource, (ctx) =>
      whileAvailable(async () => {
        await manager.dropStaleClaims(ctx)
        await reporter.reportAnew()
      }),
    )
  for (const method of Object.keys(HOST_METHODS) as HostMethod[]) {
    server.handle(HOST_METHODS[method], (ctx, args) =>
      whileAvailable(() => manager.perform(ctx, method, args)),
    )
  }
}
