import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { defineResource, type KubeObject } from '../kube/resource.ts'

/** A definition of a kind; of what the API server writes into it only the conditions are read here. */
export interface CustomResourceDefinition extends KubeObject {
  readonly spec?: unknown
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export const CRD = defineResource<CustomResourceDefinition>({
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

/** Two levels above this file, in the sources as in the build. */
const OURS = new URL('../../crds/', import.meta.url)

/** The definitions of Kilonova's own kinds, as this build knows them. */
export function kilonovaCrds(): CustomResourceDefinition[] {
  return readCrds(OURS)
}

/** The definitions in a folder of YAML files. */
export function readCrds(folder: URL): CustomResourceDefinition[] {
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => definition.parse(parse(readFileSync(new URL(name, folder), 'utf8'))))
}

/** Whether the kind is served. */
export function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True') ?? false
}
