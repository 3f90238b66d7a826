import { COMPUTE_NODE, type ComputeNodeSpec } from '../../src/apis/v1alpha1/compute-node.ts'
import { FLAVOR, type FlavorSpec } from '../../src/apis/v1alpha1/flavor.ts'
import { IMAGE, type ImageSpec } from '../../src/apis/v1alpha1/image.ts'
import { GUEST_ANNOTATION, type GuestWord, NODE_GUESTS_ANNOTATION } from '../../src/dev/kubevirt/behaviour.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { createIfMissing } from '../../src/objects/catalogue.ts'
import { NODE } from '../../src/dev/nodes.ts'
import { VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { eventually } from './eventually.ts'
import type { World } from './world.ts'

/** What an operator does: flavors, images and hosts. */

export async function makeFlavor(world: World, name: string, spec: FlavorSpec): Promise<void> {
  await createIfMissing(world.client, FLAVOR, {
    apiVersion: apiVersionOf(FLAVOR),
    kind: FLAVOR.kind,
    metadata: { name },
    spec,
  })
}

export async function makeImage(world: World, name: string, spec: Partial<ImageSpec>): Promise<void> {
  await createIfMissing(world.client, IMAGE, {
    apiVersion: apiVersionOf(IMAGE),
    kind: IMAGE.kind,
    metadata: { name },
    spec: {
      ...(!spec.dataVolume && { containerDisk: { image: 'cirros' } }),
      minRamMb: 0,
      minDiskGb: 0,
      properties: {},
      ...spec,
    },
  })
}

/** Changes what the operator says of a host. `null` takes a field away. */
export async function setComputeNode(
  world: World,
  host: string,
  spec: Partial<Record<keyof ComputeNodeSpec, unknown>>,
): Promise<void> {
  await world.client.mergePatch(COMPUTE_NODE, { name: host }, { spec })
}

export async function untilComputeNode(world: World, host: string, state: 'up' | 'down'): Promise<void> {
  await eventually(`${host} is ${state}`, async () => {
    const node = await world.client.get(COMPUTE_NODE, { name: host })
    return node.status?.state === state
  })
}

/** Makes the guests of a host behave so from now on; `null`: as they should. */
export async function setGuests(world: World, host: string, word: GuestWord | null): Promise<void> {
  const patch = { metadata: { annotations: { [NODE_GUESTS_ANNOTATION]: word } } }
  await world.client.mergePatch(NODE, { name: host }, patch)
}

/** The same for one guest that is there. */
export async function setGuest(
  world: World,
  ref: { readonly namespace: string; readonly name: string },
  word: GuestWord,
): Promise<void> {
  const patch = { metadata: { annotations: { [GUEST_ANNOTATION]: word } } }
  await world.client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, patch)
}
