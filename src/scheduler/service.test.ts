import { afterEach, beforeEach, expect, it } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import type { Sender } from '../rpc/sender.ts'
import { makeContext } from '../testing/builders.ts'
import { captureLog } from '../testing/log-capture.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { SCHEDULER_RPC_VERSION, SCHEDULER_TOPIC, SchedulerRpcApi } from './rpcapi.ts'
import { hearHeartbeats } from './service.ts'

let rpc: MemoryRpc
let alive: string[]
const logs = captureLog()

beforeEach(async () => {
  rpc = new MemoryRpc(new SystemClock())
  alive = []
  const monitor = { seen: (host: string) => void alive.push(host) }
  await rpc.serve({ target: { topic: SCHEDULER_TOPIC }, version: SCHEDULER_RPC_VERSION }, (server) =>
    hearHeartbeats(server, { monitor, log: logs.log }),
  )
})
afterEach(() => rpc.close())

it('an agent is alive by its own heartbeat, and by no other', async () => {
  const beat = (sender: Sender, host: string): Promise<void> =>
    new SchedulerRpcApi({ rpc: rpc.client(sender) }).reportState(makeContext(), { host, version: '0.1.0' })

  await beat({ service: 'compute', host: 'node-1' }, 'node-2')
  await beat({ service: 'compute', host: 'node-1' }, 'node-3')
  await beat({ service: 'api' }, 'node-2')
  await beat({ service: 'compute', host: 'node-1' }, 'node-1')

  await expect.poll(() => alive).toEqual(['node-1'])
  expect(logs.at('WARNING')).toMatchObject([
    expect.stringContaining("Ignored a heartbeat in another host's name sender=compute.node-1 host=node-2"),
    expect.stringContaining("Ignored a heartbeat in another host's name sender=api host=node-2"),
  ])
})
