import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface PersistentVolumeClaim extends KubeObject {
  readonly spec?: { readonly resources?: { readonly requests?: { readonly storage?: string } } }
}

export const PERSISTENT_VOLUME_CLAIM = defineResource<PersistentVolumeClaim>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  namespaced: true,
})
