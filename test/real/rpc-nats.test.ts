import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { loggerTo } from '../../src/common/log.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import { NatsTransport } from '../../src/rpc/nats-transport.ts'
import type { Sender } from '../../src/rpc/sender.ts'
import { RpcServer } from '../../src/rpc/server.ts'
import { describeRpcContract } from '../../src/testing/rpc-contract.ts'
import { type NatsServer, startNats } from './parts/nats.ts'
import { setupNeeded } from './setup-needed.ts'

/** Long enough that a busy machine is not taken for a dead worker. */
const ACK_WAIT_MS = 1500

const needed = setupNeeded()

describe.skipIf(needed !== undefined)('messaging on nats-server', () => {
  let nats: NatsServer
  let worlds = 0

  beforeAll(async () => {
    nats = await startNats()
  })
  afterAll(() => nats?.stop())

  describeRpcContract('nats', async () => {
    worlds += 1
    const prefix = `world${worlds}`
    const open = (sender: Sender, lines: string[]): NatsTransport => {
      const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
      const options = {
        servers: nats.url,
        sender,
        prefix,
        ackWaitMs: ACK_WAIT_MS,
        publishDeadlineMs: 3000,
        roundTripTimeoutMs: 1000,
      }
      return new NatsTransport({ log, clock: new SystemClock() }, options)
    }
    // Agents make no streams.
    const controlPlane = open({ service: 'api' }, [])
    await controlPlane.connect()
    return {
      ackWaitMs: ACK_WAIT_MS,
      open,
      stored: async () => {
        const nc = await connect({ servers: nats.url })
        try {
          const manager = await jetstreamManager(nc)
          return (await manager.streams.info(`${prefix.toUpperCase()}_CASTS`)).state.messages
        } finally {
          await nc.close()
        }
      },
      stopBroker: () => nats.kill(),
      startBroker: () => nats.restart(),
      wipeBroker: async () => {
        await nats.kill()
        rmSync(join(nats.dir, 'store'), { recursive: true, force: true })
        await nats.restart()
      },
      close: () => controlPlane.close(),
    }
  })

  describe('a store that changes under our feet', () => {
    const WORK = defineMethod({ name: 'work', version: '1.0', args: z.number() })
    const TARGET = { topic: 'compute', host: 'node-1.example.com' }
    const clock = new SystemClock()
    const lines: string[] = []
    const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'info' })
    const leave = new AsyncDisposableStack()
    const seen: number[] = []
    let manager: JetStreamManager
    let client: RpcClient

    const open = (sender: Sender, ackWaitMs: number) => {
      const options = { servers: nats.url, sender, prefix: 'feet', ackWaitMs, publishDeadlineMs: 3000 }
      const transport = new NatsTransport({ log, clock }, options)
      leave.defer(() => transport.close())
      return transport
    }
    const serve = async (ackWaitMs: number) => {
      const transport = open({ service: 'compute', host: TARGET.host }, ackWaitMs)
      const server = new RpcServer({ transport, clock, log }, { target: TARGET, version: '1.0' })
      leave.defer(() => server.stop())
      await server.handle(WORK, async (_ctx, n) => void seen.push(n)).start()
    }
    const cast = (n: number) => client.cast({ requestId: 'req-1', user: '-', project: '-' }, TARGET, WORK, n)
    const arrives = (n: number) => expect.poll(() => seen, { timeout: 10_000, interval: 5 }).toContain(n)

    beforeAll(async () => {
      const transport = open({ service: 'api' }, 30_000)
      await transport.connect()
      client = new RpcClient({ transport, clock, ids: new RandomIds() })
      await serve(30_000)
      const nc = await connect({ servers: nats.url })
      leave.defer(() => nc.close())
      manager = await jetstreamManager(nc)
    })
    afterAll(() => leave.disposeAsync())

    it('makes a deleted consumer anew', async () => {
      await manager.consumers.delete('FEET_CASTS', 'compute-node-1_example_com')
      await cast(1)
      await arrives(1)
    })

    it('makes a deleted stream anew', async () => {
      await manager.streams.delete('FEET_CASTS')
      await cast(2)
      await arrives(2)
      expect(lines.filter((line) => line.includes('The consumer is gone'))).toHaveLength(1)
    })

    it("brings an older version's consumer to new settings", async () => {
      await serve(20_000)
      const info = await manager.consumers.info('FEET_CASTS', 'compute-node-1_example_com')
      expect(info.config.ack_wait).toBe(20_000 * 1e6)
      await cast(3)
      await arrives(3)
    })

    it('keeps one durable consumer for the host, however often its server came and went', async () => {
      const names: string[] = []
      for await (const consumer of manager.consumers.list('FEET_CASTS')) names.push(consumer.name)
      expect(names).toEqual(['compute-node-1_example_com'])
    })
  })
})
