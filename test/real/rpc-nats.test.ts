import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll } from 'vitest'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { NatsTransport } from '../../src/rpc/nats-transport.ts'
import { describeRpcContract } from '../../src/testing/rpc-contract.ts'
import { type NatsServer, startNats } from './parts/nats.ts'

/** Long enough that a busy machine is not taken for a dead worker. */
const ACK_WAIT_MS = 1500

let nats: NatsServer
let worlds = 0

beforeAll(async () => {
  nats = await startNats()
})
afterAll(() => nats?.stop())

describeRpcContract('nats', async () => {
  worlds += 1
  const prefix = `world${worlds}`
  return {
    ackWaitMs: ACK_WAIT_MS,
    open: (lines) => {
      const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
      const options = {
        servers: nats.url,
        prefix,
        ackWaitMs: ACK_WAIT_MS,
        publishDeadlineMs: 3000,
        roundTripTimeoutMs: 1000,
      }
      return new NatsTransport({ log, clock: new SystemClock() }, options)
    },
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
    close: async () => undefined,
  }
})
