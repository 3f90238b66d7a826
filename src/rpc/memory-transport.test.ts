import { expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { loggerTo } from '../common/log.ts'
import { RpcClient } from './client.ts'
import { MemoryBroker } from './memory-broker.ts'
import { MemoryTransport } from './memory-transport.ts'
import { defineMethod } from './method.ts'
import { RpcServer } from './server.ts'

it('answers', async () => {
  const clock = new SystemClock()
  const broker = new MemoryBroker({ clock })
  const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
  const transport = new MemoryTransport({ broker, log })
  const echo = defineMethod({
    name: 'echo',
    version: '1.0',
    args: z.object({ n: z.number() }),
    result: z.number(),
  })
  const server = new RpcServer({ transport, clock, log }, { target: { topic: 'a' }, version: '1.1' })
  server.handle(echo, async (_ctx, { n }) => n + 1)
  await server.start()
  const client = new RpcClient({ transport, clock, ids: new RandomIds() })
  const ctx = { requestId: 'req-1', user: 'u', project: 'p' }
  expect(await client.call(ctx, { topic: 'a' }, echo, { n: 1 })).toBe(2)
  await server.stop()
})
