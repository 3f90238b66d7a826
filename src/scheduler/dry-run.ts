import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { describePlacement } from './describe-placement.ts'
import type { Destinations, SchedulerRpcApi } from './rpcapi.ts'

/**
 * Asks the scheduler where an instance would go.
 * @throws FlavorNotFound, ImageNotFound, InstanceGroupNotFound, OverQuota, … as creating it would fail
 */
export async function dryRun(
  deps: {
    readonly resolver: Pick<BuildRequestResolver, 'resolve'>
    readonly scheduler: Pick<SchedulerRpcApi, 'selectDestinations'>
  },
  ctx: RequestContext,
  instance: Instance,
): Promise<Destinations> {
  return deps.scheduler.selectDestinations(ctx, await deps.resolver.resolve(instance))
}

/** An answer in lines to read. */
export function describeDestinations({ placement, alternates }: Destinations): string {
  return describePlacement(placement, alternates)
}
