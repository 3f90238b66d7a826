import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import { MemoryBroker } from './memory-broker.ts'
import { MemoryTransport } from './memory-transport.ts'
import { NatsTransport, type NatsTransportOptions } from './nats-transport.ts'
import { natsServersOf } from './nats-url.ts'
import type { Transport } from './transport.ts'

export interface OpenTransportDeps {
  readonly log: Logger
  readonly clock: Clock
  /** The broker of `memory://`, to be shared by all services of the process; without it a new one. */
  readonly broker?: MemoryBroker
}

/**
 * The transport of a URL: `memory://`, or `nats://[user:password@]host:port[,host:port...]` (`tls://` for TLS). It connects by `connect`, or
 * with the first thing that is sent.
 *
 * @throws TypeError for any other scheme.
 */
export function openTransport(
  url: string,
  deps: OpenTransportDeps,
  options: Omit<NatsTransportOptions, 'servers'>,
): Transport {
  if (url.startsWith('memory:')) {
    const broker = deps.broker ?? new MemoryBroker({ clock: deps.clock })
    return new MemoryTransport({ broker, log: deps.log }, { sender: options.sender })
  }
  const servers = natsServersOf(url)
  if (servers) return new NatsTransport(deps, { ...options, ...servers })
  throw new TypeError(`Not a messaging URL (memory:// or nats://): ${JSON.stringify(url)}`)
}
