import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SystemClock } from '../../src/common/clock.ts'
import { RandomIds } from '../../src/common/ids.ts'
import { loggerTo } from '../../src/common/log.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { MessageUndeliverable } from '../../src/rpc/errors.ts'
import { defineMethod } from '../../src/rpc/method.ts'
import { NatsTransport } from '../../src/rpc/nats-transport.ts'
import type { Sender } from '../../src/rpc/sender.ts'
import { RpcServer } from '../../src/rpc/server.ts'
import type { DeclaredQueue } from '../../src/rpc/transport.ts'
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

  describe.each([
    { who: 'us', prefix: 'feet' },
    { who: 'the control plane', prefix: 'hands' },
  ] as const)('a queue that $who declares, in a store that changes under our feet', ({ who, prefix }) => {
    const WORK = defineMethod({ name: 'work', version: '1.0', args: z.number() })
    const TARGET = { topic: 'compute', host: 'node-1.example.com' }
    const STREAM = `${prefix.toUpperCase()}_CASTS`
    const DURABLE = 'compute-node-1_example_com'
    const clock = new SystemClock()
    const lines: string[] = []
    const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'info' })
    const leave = new AsyncDisposableStack()
    const seen: number[] = []
    let manager: JetStreamManager
    let client: RpcClient

    const open = (sender: Sender, ackWaitMs: number) => {
      const options = { servers: nats.url, sender, prefix, ackWaitMs, publishDeadlineMs: 3000 }
      const transport = new NatsTransport({ log, clock }, options)
      leave.defer(() => transport.close())
      return transport
    }
    const serve = async (ackWaitMs: number) => {
      const controlPlane = open({ service: 'conductor' }, ackWaitMs)
      // Ours counts for nothing where somebody else declares the queue.
      const transport = open({ service: 'compute', host: TARGET.host }, who === 'us' ? ackWaitMs : 1)
      const server = new RpcServer(
        { transport, clock, log },
        {
          target: TARGET,
          version: '1.0',
          ...(who !== 'us' && { declareQueue: () => controlPlane.declareQueue(TARGET) }),
        },
      )
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

    it('is made anew when it was deleted', async () => {
      await manager.consumers.delete(STREAM, DURABLE)
      await cast(1)
      await arrives(1)
    })

    it('is made anew, and its stream too, when that was deleted', async () => {
      await manager.streams.delete(STREAM)
      await cast(2)
      await arrives(2)
      expect(lines.filter((line) => line.includes('The queue is gone'))).toHaveLength(1)
    })

    it('of an older version is brought to new settings', async () => {
      await serve(20_000)
      const info = await manager.consumers.info(STREAM, DURABLE)
      expect(info.config.ack_wait).toBe(20_000 * 1e6)
      await cast(3)
      await arrives(3)
    })

    it('is one for the host, however often its server came and went', async () => {
      const names: string[] = []
      for await (const consumer of manager.consumers.list(STREAM)) names.push(consumer.name)
      expect(names).toEqual([DURABLE])
    })
  })

  describe('a queue that somebody else declares', () => {
    const WORK = defineMethod({ name: 'work', version: '1.0', args: z.number() })
    const TARGET = { topic: 'compute', host: 'node-1' }
    const AGENT = { service: 'compute', host: TARGET.host } as const
    const clock = new SystemClock()
    let leave: AsyncDisposableStack
    let lines: string[]

    beforeEach(() => {
      worlds += 1
      leave = new AsyncDisposableStack()
      lines = []
    })
    afterEach(() => leave.disposeAsync())

    const log = () => loggerTo((line) => lines.push(line), { format: 'text', level: 'info' })
    const open = (sender: Sender, ackWaitMs: number) => {
      const options = { servers: nats.url, sender, prefix: `others${worlds}`, ackWaitMs }
      const transport = new NatsTransport({ log: log(), clock }, options)
      leave.defer(() => transport.close())
      return transport
    }
    const serverOf = (declareQueue: () => Promise<DeclaredQueue>, ackWaitMs = 30_000): RpcServer => {
      const deps = { transport: open(AGENT, ackWaitMs), clock, log: log() }
      const server = new RpcServer(deps, { target: TARGET, version: '1.0', declareQueue })
      leave.defer(() => server.stop())
      return server
    }

    it('is waited for until somebody does, which is said once', async () => {
      const controlPlane = open({ service: 'conductor' }, 30_000)
      let tries = 0
      const server = serverOf(async () => {
        tries += 1
        if (tries < 4) throw new MessageUndeliverable({ topic: 'conductor', method: 'declare' })
        return controlPlane.declareQueue(TARGET)
      })

      await server.start()

      expect(tries).toBe(4)
      expect(lines.filter((line) => line.includes('Waiting for the queue to be declared'))).toHaveLength(1)
    })

    it('is no longer waited for after stop', async () => {
      const asked = Promise.withResolvers<void>()
      const server = serverOf(async () => {
        asked.resolve()
        throw new MessageUndeliverable({ topic: 'conductor', method: 'declare' })
      })
      const started = expect(server.start()).rejects.toThrow('The RPC server was stopped')
      await asked.promise

      await server.stop()

      await started
    })

    it('gives its work to nobody else while that takes long, by the time it was declared with', async () => {
      const controlPlane = open({ service: 'conductor' }, ACK_WAIT_MS)
      let deliveries = 0
      const done = Promise.withResolvers<void>()
      // Its own time is so long that it would never say that it is at work.
      const server = serverOf(() => controlPlane.declareQueue(TARGET), 3_600_000)
      server.handle(WORK, async () => {
        deliveries += 1
        await clock.sleep(ACK_WAIT_MS * 2.5)
        done.resolve()
      })
      await server.start()
      const client = new RpcClient({ transport: controlPlane, clock, ids: new RandomIds() })

      await client.cast({ requestId: 'req-1', user: '-', project: '-' }, TARGET, WORK, 1)

      await done.promise
      expect(deliveries).toBe(1)
    })
  })
})
