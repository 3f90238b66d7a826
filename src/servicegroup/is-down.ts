import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import type { KubeClient } from '../kube/client.ts'
import { isNotThere } from '../objects/not-there.ts'

/**
 * Whether a host is down, as the API server has it now: what a watch says may be late. A host that nobody knows is down.
 * @throws ApiError, KubernetesUnavailable when it could not be read
 */
export async function isDownNow(client: Pick<KubeClient, 'get'>, host: string): Promise<boolean> {
  try {
    const { spec, status } = await client.get(COMPUTE_NODE, { name: host })
    return spec.forcedDown || status?.state === 'down'
  } catch (error) {
    if (isNotThere(error, host)) return true
    throw error
  }
}
