import type { KubeClient } from '../kube/client.ts'
import { defineResource, type KubeObject } from '../kube/resource.ts'
import { createIfMissing } from '../objects/catalogue.ts'

/** A Node, as far as a simulated one needs it. */
export interface Node extends KubeObject {
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, string>>
    readonly capacity?: Readonly<Record<string, string>>
    readonly conditions?: readonly object[]
    readonly nodeInfo?: Readonly<Record<string, string>>
    readonly addresses?: readonly object[]
    readonly daemonEndpoints?: object
  }
}

export const NODE = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
})

const RESOURCES = {
  cpu: '8',
  memory: '32Gi',
  'ephemeral-storage': '500Gi',
  'devices.kubevirt.io/kvm': '1000',
  pods: '110',
}

/** `node-1`, `node-2`, … */
export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `node-${index + 1}`)
}

/** Where the API server finds the kubelet of a Node. */
export function kubeletAt(port: number): Pick<NonNullable<Node['status']>, 'addresses' | 'daemonEndpoints'> {
  return {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  }
}

/**
 * Makes a Node that looks like one with KubeVirt on it: 8 CPUs, 32 GiB of memory, 500 GiB of disk. With the port of a
 * kubelet on this machine, its Pods' logs can be read.
 */
export async function createNode(
  client: KubeClient,
  name: string,
  now: string,
  kubeletPort?: number,
): Promise<void> {
  await createIfMissing(client, NODE, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubevirt.io/schedulable': 'true',
      },
    },
  })
  const conditions = [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Simulated',
      message: 'a simulated node is always ready',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    },
  ]
  await client.mergePatch(
    NODE,
    { name },
    {
      status: {
        capacity: RESOURCES,
        allocatable: RESOURCES,
        conditions,
        ...(kubeletPort !== undefined && kubeletAt(kubeletPort)),
        nodeInfo: {
          architecture: 'amd64',
          operatingSystem: 'linux',
          kubeletVersion: 'v0.0.0-simulated',
          machineID: '',
          systemUUID: '',
          bootID: '',
          kernelVersion: '',
          osImage: '',
          containerRuntimeVersion: '',
          kubeProxyVersion: '',
        },
      },
    },
    { subresource: 'status' },
  )
}
