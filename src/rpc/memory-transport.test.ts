import { SystemClock } from '../common/clock.ts'
import { loggerTo } from '../common/log.ts'
import { describeRpcContract } from '../testing/rpc-contract.ts'
import { MemoryBroker } from './memory-broker.ts'
import { MemoryTransport } from './memory-transport.ts'

describeRpcContract('memory', async () => {
  const ackWaitMs = 50
  const broker = new MemoryBroker({ clock: new SystemClock() }, { ackWaitMs })
  return {
    ackWaitMs,
    open: (sender, lines) => {
      const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'debug' })
      return new MemoryTransport({ broker, log }, { sender, publishDeadlineMs: 300, roundTripTimeoutMs: 100 })
    },
    stored: async () => broker.storedCasts(),
    stopBroker: async () => broker.disconnect(),
    startBroker: async () => broker.reconnect(),
    wipeBroker: async () => {
      broker.disconnect()
      broker.wipe()
      broker.reconnect()
    },
    close: async () => undefined,
  }
})
