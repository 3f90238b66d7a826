import { defineResource, type KubeObject } from '../kube/resource.ts'

/** A Secret, as far as keys go. Values are base64. */
export interface Secret extends KubeObject {
  type?: string
  data?: Record<string, string>
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>
}

export const SECRET = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
})

export const CONFIG_MAP = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
})
