import { expect, it } from 'vitest'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { ApiError } from '../kube/api-error.ts'
import { makeComputeNode } from '../testing/builders.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { isDownNow } from './is-down.ts'

it.each([
  { spec: { forcedDown: true }, status: { state: 'up' }, is: true },
  { spec: {}, status: { state: 'down' }, is: true },
  { spec: {}, status: { state: 'up' }, is: false },
] as const)('a host with $spec and $status: $is', async ({ spec, status, is }) => {
  const client = new MemoryKubeClient()
  await client.create(COMPUTE_NODE, makeComputeNode({ name: 'node-1', spec, status }))
  expect(await isDownNow(client, 'node-1')).toBe(is)
})

it('a host that nobody knows is down', async () => {
  expect(await isDownNow(new MemoryKubeClient(), 'node-1')).toBe(true)
})

it('a server that does not serve our kinds just now says nothing of a host: its guest must not be taken away', async () => {
  const client = new MemoryKubeClient()
  client.failure = new ApiError({ code: 404, reason: 'NotFound', message: '404 page not found' })
  await expect(isDownNow(client, 'node-1')).rejects.toThrow(KubernetesUnavailable)
})
