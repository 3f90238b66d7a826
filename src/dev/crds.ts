import { CRD, type CustomResourceDefinition, isEstablished, readCrds } from '../apis/definitions.ts'
import type { Clock } from '../common/clock.ts'
import { isAlreadyExists } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'

export { type CustomResourceDefinition, kilonovaCrds } from '../apis/definitions.ts'

/** A small stand-in for KubeVirt's definitions. */
export function kubevirtCrds(): CustomResourceDefinition[] {
  return readCrds(new URL('kubevirt/crds/', import.meta.url))
}

const ESTABLISH_TIMEOUT_MS = 30_000
const POLL_MS = 50

/** Installs definitions (`replace` brings those up to date that are there) and waits until they are served. */
export async function installCrds(
  deps: { readonly client: KubeClient; readonly clock: Clock },
  crds: readonly CustomResourceDefinition[],
  options: { readonly replace: boolean },
): Promise<void> {
  await Promise.all(crds.map((crd) => install(deps.client, crd, options.replace)))
  const deadline = deps.clock.now() + ESTABLISH_TIMEOUT_MS
  for (const { metadata } of crds) {
    for (;;) {
      if (isEstablished(await deps.client.get(CRD, { name: metadata.name }))) break
      if (deps.clock.now() > deadline) throw new Error(`${metadata.name} was not established in time`)
      await deps.clock.sleep(POLL_MS)
    }
  }
}

async function install(client: KubeClient, crd: CustomResourceDefinition, replace: boolean): Promise<void> {
  try {
    await client.create(CRD, crd)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    if (!replace) return
    const { metadata } = await client.get(CRD, { name: crd.metadata.name })
    await client.replace(CRD, {
      ...crd,
      metadata: {
        ...crd.metadata,
        ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
      },
    })
  }
}
