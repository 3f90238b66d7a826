import { UsageError } from '../conf/options.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { defineResource } from '../kube/resource.ts'

const KUBEVIRT = defineResource({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'KubeVirt',
  plural: 'kubevirts',
  namespaced: true,
})

/**
 * Makes sure that no KubeVirt is installed: the stand-in would start and stop its VMs behind its back.
 * @throws UsageError that says what to do instead
 */
export async function refuseRealKubeVirt(client: KubeClient): Promise<void> {
  try {
    const { items } = await client.list(KUBEVIRT, { limit: 1 })
    if (items.length === 0) return
  } catch (error) {
    // Without the definition there is no KubeVirt.
    if (isNotFound(error)) return
    throw error
  }
  throw new UsageError(
    'KubeVirt is installed in this cluster. A dev cluster brings a stand-in for it, which would act on its VMs: use an API server without KubeVirt, or run the services themselves (kilonova api, scheduler, conductor, compute).',
  )
}
