import type { Clock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { RpcClient } from '../rpc/client.ts'
import { MemoryBroker } from '../rpc/memory-broker.ts'
import { MemoryTransport } from '../rpc/memory-transport.ts'
import { RpcServer, type RpcServerOptions } from '../rpc/server.ts'
import { captureLog } from './log-capture.ts'

/** Messaging in memory for the services of one test. */
export class MemoryRpc {
  readonly broker: MemoryBroker
  readonly transport: MemoryTransport
  readonly #clock: Clock
  readonly #servers: RpcServer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.broker = new MemoryBroker({ clock })
    this.transport = new MemoryTransport({ broker: this.broker, log: captureLog().log })
  }

  /** The sending end of a service of that name. */
  client(sender = '-'): RpcClient {
    return new RpcClient({ transport: this.transport, clock: this.#clock, ids: new RandomIds() }, { sender })
  }

  /** Serves a target; `register` names the handlers. */
  async serve(
    options: Pick<RpcServerOptions, 'target' | 'version'> & Partial<RpcServerOptions>,
    register: (server: RpcServer) => void,
  ): Promise<void> {
    const deps = { transport: this.transport, clock: this.#clock, log: captureLog().log }
    const server = new RpcServer(deps, options)
    register(server)
    await server.start()
    this.#servers.push(server)
  }

  async close(): Promise<void> {
    await this.transport.close()
    await Promise.all(this.#servers.map((server) => server.stop()))
  }
}
