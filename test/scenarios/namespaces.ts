import { randomUUID } from 'node:crypto'
import type { KubeClient } from '../../src/kube/client.ts'
import { defineResource } from '../../src/kube/resource.ts'

const NAMESPACE = defineResource({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
})

/** A namespace of its own for each scenario, so that they can share a world. */
export async function makeNamespace(client: KubeClient): Promise<string> {
  const name = `scenario-${randomUUID().slice(0, 8)}`
  await client.create(NAMESPACE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  return name
}
