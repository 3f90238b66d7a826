import type { Clock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { RpcClient } from '../rpc/client.ts'
import { MemoryBroker } from '../rpc/memory-broker.ts'
import { MemoryTransport } from '../rpc/memory-transport.ts'
import type { Sender } from '../rpc/sender.ts'
import { RpcServer, type RpcServerOptions } from '../rpc/server.ts'
import type { Target } from '../rpc/target.ts'
import { captureLog } from './log-capture.ts'

/** Messaging in memory for the services of one test. */
export class MemoryRpc {
  readonly broker: MemoryBroker
  readonly #clock: Clock
  readonly #servers: RpcServer[] = []
  readonly #transports: MemoryTransport[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.broker = new MemoryBroker({ clock })
  }

  /** A way to the broker of its own for each sender, as each has in its process. */
  transport(sender: Sender = { service: 'api' }): MemoryTransport {
    const transport = new MemoryTransport({ broker: this.broker, log: captureLog().log }, { sender })
    this.#transports.push(transport)
    return transport
  }

  /** The sending end of a service. */
  client(sender?: Sender): RpcClient {
    return new RpcClient({ transport: this.transport(sender), clock: this.#clock, ids: new RandomIds() })
  }

  /** Serves a target; `register` names the handlers. */
  async serve(
    options: Pick<RpcServerOptions, 'target' | 'version'> & Partial<RpcServerOptions>,
    register: (server: RpcServer) => void,
  ): Promise<void> {
    const deps = {
      transport: this.transport(senderServing(options.target)),
      clock: this.#clock,
      log: captureLog().log,
    }
    const server = new RpcServer(deps, options)
    register(server)
    await server.start()
    this.#servers.push(server)
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()))
    await Promise.all(this.#servers.map((server) => server.stop()))
  }
}

/** Whoever serves a target: that service. */
export function senderServing({ topic, host }: Target): Sender {
  if (host !== undefined) return { service: 'compute', host }
  return { service: topic === 'conductor' ? 'conductor' : 'scheduler' }
}
