import { expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { FakeClock, settle } from '../testing/fake-clock.ts'
import { makeContext } from '../testing/builders.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { FreedHosts } from './freed-hosts.ts'
import { COMPUTE_RPC_VERSION, COMPUTE_TOPIC, ComputeRpcApi, updateAvailableResource } from './rpcapi.ts'

const MOVE = { type: 'migration', status: 'running', oldVmState: 'active' } as const
const moving: InstanceStatus = {
  host: 'node-1',
  migration: { ...MOVE, sourceHost: 'node-1', destHost: 'node-2' },
}

it.each<{ what: string; before: InstanceStatus; after: InstanceStatus; except?: string; told: string[] }>([
  { what: 'it stays where it is', before: moving, after: { host: 'node-1' }, told: ['node-2'] },
  { what: 'it has moved', before: moving, after: { host: 'node-2' }, told: ['node-1'] },
  { what: 'it is no host’s', before: moving, after: {}, told: ['node-1', 'node-2'] },
  { what: 'that host knows', before: moving, after: { host: 'node-1' }, except: 'node-2', told: [] },
  { what: 'it goes on', before: moving, after: moving, told: [] },
  {
    what: 'it goes elsewhere',
    before: moving,
    after: { ...moving, migration: { ...MOVE, sourceHost: 'node-1', destHost: 'node-3' } },
    told: ['node-2'],
  },
  { what: 'it did not move', before: { host: 'node-1' }, after: {}, told: [] },
])('of an instance that was to come, $told is told when $what', async ({ before, after, except, told }) => {
  const rpc = new MemoryRpc(new FakeClock())
  const got: string[] = []
  for (const host of ['node-1', 'node-2', 'node-3']) {
    await rpc.serve({ target: { topic: COMPUTE_TOPIC, host }, version: COMPUTE_RPC_VERSION }, (server) => {
      server.handle(updateAvailableResource, async () => {
        got.push(host)
      })
    })
  }
  const freed = new FreedHosts({ compute: new ComputeRpcApi({ rpc: rpc.client({ service: 'api' }) }) })

  await freed.tell(makeContext(), { status: before }, { status: after }, except)

  await settle()
  expect(got.toSorted()).toEqual(told)
  await rpc.close()
})
