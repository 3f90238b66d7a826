import { FLAVOR } from '../../src/apis/v1alpha1/flavor.ts'
import { IMAGE } from '../../src/apis/v1alpha1/image.ts'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { INSTANCE } from '../../src/apis/v1alpha1/instance.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { defineResource } from '../../src/kube/resource.ts'
import { seedCatalogue } from '../../src/objects/catalogue.ts'
import { eventually } from '../scenarios/eventually.ts'

const NAMESPACE = defineResource({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
})

/** Takes away what earlier scenarios left, also those that were ended in the middle: they begin alike. */
export async function cleanUp(client: KubeClient): Promise<void> {
  for (const { metadata } of (await client.list(COMPUTE_NODE)).items) {
    const spec = { disabled: false, disabledReason: null, forcedDown: false }
    await client.mergePatch(COMPUTE_NODE, { name: metadata.name }, { spec })
  }
  for (const { metadata } of (await client.list(INSTANCE)).items) {
    await client.delete(INSTANCE, { namespace: metadata.namespace ?? '', name: metadata.name })
  }
  await eventually('the instances of earlier scenarios are gone', async () => {
    return (await client.list(INSTANCE)).items.length === 0
  })
  for (const { metadata } of (await client.list(NAMESPACE)).items) {
    if (metadata.name.startsWith('scenario-')) await client.delete(NAMESPACE, { name: metadata.name })
  }
  for (const { metadata } of (await client.list(FLAVOR)).items) {
    await client.delete(FLAVOR, { name: metadata.name })
  }
  for (const { metadata } of (await client.list(IMAGE)).items) {
    await client.delete(IMAGE, { name: metadata.name })
  }
  await seedCatalogue(client)
}
