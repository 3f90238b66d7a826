import { parse } from 'yaml'
import { z } from 'zod'
import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { schedulerHints } from '../objects/build-request.ts'
import { describePlacement } from './describe-placement.ts'
import type { Destinations, SchedulerRpcApi } from './rpcapi.ts'

/** The manifest is no Instance. */
export class UnfitManifest extends Error {
  override readonly name = 'UnfitManifest'
}

const manifest = z.object({
  kind: z.literal(INSTANCE.kind),
  metadata: z.object({ name: z.string().default('dry-run'), namespace: z.string().optional() }),
  spec: z.object({
    flavor: z.string(),
    image: z.string(),
    availabilityZone: z.string().optional(),
    requestedHost: z.string().optional(),
    schedulerHints: schedulerHints.optional(),
  }),
})

/**
 * The Instance in a manifest, as far as it matters for where it goes.
 * @throws UnfitManifest
 */
export function readManifest(text: string, namespace: string): Instance {
  try {
    const { metadata, spec } = manifest.parse(parse(text))
    const { flavor, image, availabilityZone, requestedHost, schedulerHints: hints } = spec
    const { group, different_host, same_host, build_near_host_ip, cidr } = hints ?? {}
    return {
      apiVersion: apiVersionOf(INSTANCE),
      kind: INSTANCE.kind,
      metadata: { name: metadata.name, namespace: metadata.namespace ?? namespace, uid: 'dry-run' },
      spec: {
        flavor,
        image,
        powerState: 'Running',
        ...(availabilityZone !== undefined && { availabilityZone }),
        ...(requestedHost !== undefined && { requestedHost }),
        ...(hints && {
          schedulerHints: {
            ...(group !== undefined && { group }),
            ...(different_host && { different_host }),
            ...(same_host && { same_host }),
            ...(build_near_host_ip !== undefined && { build_near_host_ip }),
            ...(cidr !== undefined && { cidr }),
          },
        }),
      },
      status: {},
    }
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
    throw new UnfitManifest(`This is no manifest of an Instance: ${why}`, { cause: error })
  }
}

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
