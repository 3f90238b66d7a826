import { FLAVOR, type Flavor } from '../apis/v1alpha1/flavor.ts'
import { IMAGE, type Image } from '../apis/v1alpha1/image.ts'
import { isAlreadyExists } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../kube/resource.ts'

/** The classic flavors: name, vCPUs, MiB of memory, GiB of disk. */
const CLASSIC_FLAVORS: readonly (readonly [string, number, number, number])[] = [
  ['m1.tiny', 1, 512, 1],
  ['m1.small', 1, 2048, 20],
  ['m1.medium', 2, 4096, 40],
  ['m1.large', 4, 8192, 80],
  ['m1.xlarge', 8, 16384, 160],
]

/** A small image, as every fresh OpenStack has one. */
const CIRROS = 'quay.io/kubevirt/cirros-container-disk-demo:v1.6.0'

/** Puts the classic flavors and a small image into a cluster that has them not. Tells how many it made. */
export async function seedCatalogue(client: KubeClient): Promise<number> {
  const flavors = CLASSIC_FLAVORS.map(
    ([name, vcpus, memoryMb, diskGb]): Flavor => ({
      apiVersion: apiVersionOf(FLAVOR),
      kind: FLAVOR.kind,
      metadata: { name },
      spec: { vcpus, memoryMb, diskGb },
    }),
  )
  const cirros: Image = {
    apiVersion: apiVersionOf(IMAGE),
    kind: IMAGE.kind,
    metadata: { name: 'cirros' },
    spec: { containerDisk: { image: CIRROS }, minRamMb: 64, minDiskGb: 0, properties: {} },
  }
  const made = await Promise.all([
    ...flavors.map((flavor) => createIfMissing(client, FLAVOR, flavor)),
    createIfMissing(client, IMAGE, cirros),
  ])
  return made.filter(Boolean).length
}

/** Creates an object unless one of its name is there. Tells whether it did. */
export async function createIfMissing<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
): Promise<boolean> {
  try {
    await client.create(type, object)
    return true
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return false
  }
}
