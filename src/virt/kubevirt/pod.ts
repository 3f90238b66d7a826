import { defineResource, type KubeObject } from '../../kube/resource.ts'

/** A Pod, as far as we read it. */
export interface Pod extends KubeObject {
  readonly spec?: { readonly nodeName?: string }
}

export const POD = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
})

/** The Pods that KubeVirt runs guests in. */
export const LAUNCHER_LABEL = 'kubevirt.io'
export const LAUNCHER = 'virt-launcher'
