import { defineResource, type KubeObject } from '../../kube/resource.ts'

/** A disk that CDI fills: KubeVirt makes them of a VM's dataVolumeTemplates. */
export const DATA_VOLUME = defineResource<KubeObject>({
  group: 'cdi.kubevirt.io',
  version: 'v1beta1',
  kind: 'DataVolume',
  plural: 'datavolumes',
  namespaced: true,
})
