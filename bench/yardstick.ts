import { INSTANCE } from '../src/apis/v1alpha1/instance.ts'
import type { KubeClient } from '../src/kube/client.ts'
import { instanceOf, names, pooled } from './load.ts'

/** Writes before the clock runs, for connections and compilers to get warm. */
const WARM_UP = 100

/** What the API server takes in bare writes, a second. */
export interface Yardstick {
  readonly creates: number
  readonly patches: number
}

/** Creates and status merge patches of instances that nobody reads or watches. */
export async function measureYardstick(
  client: KubeClient,
  options: { readonly count: number; readonly concurrency: number },
): Promise<Yardstick> {
  const { count, concurrency } = options
  const refOf = (name: string): { namespace: string; name: string } => ({ namespace: 'default', name })
  const timed = (work: (name: string) => Promise<unknown>) => async (name: string) => {
    const startMs = performance.now()
    await work(name)
    return performance.now() - startMs
  }
  const create = timed(async (name) => client.create(INSTANCE, instanceOf(name)))
  const patch = timed(async (name) =>
    client.mergePatch(INSTANCE, refOf(name), { status: statusOf(name) }, { subresource: 'status' }),
  )
  const remove = timed(async (name) => client.delete(INSTANCE, refOf(name)))

  const first = names('warm', WARM_UP)
  const all = names('bare', count)
  for (const work of [create, patch, remove]) await pooled(first, concurrency, work)
  const creates = await pooled(all, concurrency, create)
  const patches = await pooled(all, concurrency, patch)
  await pooled(all, concurrency, remove)
  return { creates: count / creates.seconds, patches: count / patches.seconds }
}

/** As large as that of an instance that runs. */
function statusOf(name: string): object {
  const time = '2026-01-01T00:00:00Z'
  return {
    id: 'a3b1c2d4-0000-4000-8000-000000000000',
    status: 'ACTIVE',
    vmState: 'active',
    powerState: 'RUNNING',
    host: 'node-1',
    availabilityZone: 'nova',
    attempt: 1,
    alternates: ['node-2', 'node-3'],
    requestId: 'req-a3b1c2d4-0000-5000-8000-000000000000',
    flavor: { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 },
    addresses: [{ address: '10.0.2.15', network: 'default', macAddress: '02:00:00:00:00:01' }],
    launchedAt: time,
    observedGeneration: 1,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Active', message: name, lastTransitionTime: time },
    ],
  }
}
