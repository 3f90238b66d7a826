import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Forbidden } from '../common/errors/access.ts'
import { QueueUndeclared } from '../rpc/errors.ts'
import type { Target } from '../rpc/target.ts'
import { makeContext } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { MemoryRpc } from '../testing/memory-rpc.ts'
import { serveComputeQueues } from './compute-queues.ts'
import { CONDUCTOR_RPC_VERSION, CONDUCTOR_TOPIC, computeQueueDeclare, ConductorRpcApi } from './rpcapi.ts'

const NODE_1 = { service: 'compute', host: 'node-1.example.com' } as const
const QUEUE = { since: '2026-01-01T00:00:00Z', ackWaitMs: 30_000 }
const ctx = makeContext()

describe('the queue of an agent', () => {
  let rpc: MemoryRpc
  let declared: Target[]
  let refusal: Error | undefined

  beforeEach(async () => {
    rpc = new MemoryRpc(new FakeClock())
    declared = []
    refusal = undefined
    const declareQueue = async (target: Target): Promise<typeof QUEUE> => {
      if (refusal) throw refusal
      declared.push(target)
      return QUEUE
    }
    await rpc.serve({ target: { topic: CONDUCTOR_TOPIC }, version: CONDUCTOR_RPC_VERSION }, (server) =>
      serveComputeQueues(server, { declareQueue }),
    )
  })
  afterEach(() => rpc.close())

  it('is declared at its asking', async () => {
    const conductor = new ConductorRpcApi({ rpc: rpc.client(NODE_1) })

    expect(await conductor.computeQueueDeclare(ctx)).toEqual(QUEUE)

    expect(declared).toEqual([{ topic: 'compute', host: 'node-1.example.com' }])
  })

  it('is its own, whatever it asks for', async () => {
    const args = { host: 'node-2', target: { topic: 'scheduler' } }

    await rpc
      .client(NODE_1)
      .call(ctx, { topic: CONDUCTOR_TOPIC }, { ...computeQueueDeclare, args: z.unknown() }, args)

    expect(declared).toEqual([{ topic: 'compute', host: 'node-1.example.com' }])
  })

  it.each(['api', 'scheduler'] as const)('is not for %s to ask for', async (service) => {
    const conductor = new ConductorRpcApi({ rpc: rpc.client({ service }) })

    await expect(conductor.computeQueueDeclare(ctx)).rejects.toThrow(Forbidden)

    expect(declared).toEqual([])
  })

  it('that the broker does not make now may be asked for again', async () => {
    refusal = new QueueUndeclared({ topic: 'compute', host: NODE_1.host, reason: 'no responders' })
    const conductor = new ConductorRpcApi({ rpc: rpc.client(NODE_1) })

    const asking = conductor.computeQueueDeclare(ctx)

    await expect(asking).rejects.toThrow(
      'Could not declare the queue of compute.node-1.example.com: no responders',
    )
    await expect(asking).rejects.toMatchObject({ name: 'QueueUndeclared', outcome: 'retry' })
  })
})
