import type { KubeClient } from '../../src/kube/client.ts'
import { defineResource, type KubeObject } from '../../src/kube/resource.ts'

export interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly {
      readonly name: string
      /** `containerd://…`, once it was made. */
      readonly containerID?: string
    }[]
  }
}

export const POD = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
})

/** It serves, and is not about to leave. */
export function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  )
  return ready === true && metadata.deletionTimestamp === undefined
}

/** Neither done nor failed. */
export function isAtWork({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}

/** Of all namespaces. */
export async function podsOnNode(client: KubeClient, node: string): Promise<readonly Pod[]> {
  return (await client.list(POD, { fieldSelector: `spec.nodeName=${node}` })).items
}
