import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Clock } from '../common/clock.ts'
import { isAlreadyExists } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { defineResource, type KubeObject } from '../kube/resource.ts'

/** A definition; of what is in it only the conditions are read here. */
export interface CustomResourceDefinition extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

const CRD = defineResource<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
})

const definition = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal('CustomResourceDefinition'),
  metadata: z.looseObject({ name: z.string() }),
})

/** Both folders stand two levels above this file, in the sources as in the build. */
const OURS = new URL('../../crds/', import.meta.url)
const KUBEVIRT = new URL('../../src/dev/kubevirt/crds/', import.meta.url)

function readCrds(folder: URL): CustomResourceDefinition[] {
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => definition.parse(parse(readFileSync(new URL(name, folder), 'utf8'))))
}

/** Kilonova's own definitions. */
export function kilonovaCrds(): CustomResourceDefinition[] {
  return readCrds(OURS)
}

/** A small stand-in for KubeVirt's. */
export function kubevirtCrds(): CustomResourceDefinition[] {
  return readCrds(KUBEVIRT)
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
      const { status } = await deps.client.get(CRD, { name: metadata.name })
      if (status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True')) break
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
