import { SystemClock } from '../../src/common/clock.ts'
import { type CustomResourceDefinition, installCrds } from '../../src/dev/crds.ts'
import { isNotFound } from '../../src/kube/api-error.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { defineResource, type KubeObject, type ResourceType } from '../../src/kube/resource.ts'
import { VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { eventually } from './eventually.ts'

const CRD = defineResource({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
})
const KINDS: readonly ResourceType<KubeObject>[] = [
  VIRTUAL_MACHINE as ResourceType<KubeObject>,
  VIRTUAL_MACHINE_INSTANCE as ResourceType<KubeObject>,
]

/** Takes KubeVirt's kinds away, with all that there is of them, and waits until nobody serves them. */
export async function uninstallKubeVirt(client: KubeClient): Promise<void> {
  for (const type of KINDS) {
    await client.delete(CRD, { name: `${type.plural}.${type.group}` })
    await eventually(`${type.plural} are not served`, async () => {
      try {
        await client.list(type)
        return false
      } catch (error) {
        return isNotFound(error)
      }
    })
  }
}

export async function installKubeVirt(
  client: KubeClient,
  crds: readonly CustomResourceDefinition[],
): Promise<void> {
  await installCrds({ client, clock: new SystemClock() }, crds, { replace: false })
}
