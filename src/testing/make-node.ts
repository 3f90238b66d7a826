import { kubeletAt } from '../dev/nodes.ts'
import type { KubeClient } from '../kube/client.ts'
import { NODE } from '../virt/kubevirt/resources.ts'

/** Puts a node there that is ready, as its kubelet does. With the port of a `Kubelet`, its Pods' logs can be read. */
export async function makeNode(
  client: KubeClient,
  name: string,
  {
    annotations = {},
    kubeletPort,
  }: { readonly annotations?: Record<string, string>; readonly kubeletPort?: number | undefined } = {},
): Promise<void> {
  const status = {
    allocatable: { cpu: '7910m', memory: '16282508Ki', 'ephemeral-storage': '100Gi' },
    nodeInfo: { architecture: 'amd64' },
    conditions: [{ type: 'Ready', status: 'True' } as const],
    ...(kubeletPort !== undefined && kubeletAt(kubeletPort)),
  }
  await client.create(NODE, { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } })
  await client.mergePatch(NODE, { name }, { status }, { subresource: 'status' })
}
