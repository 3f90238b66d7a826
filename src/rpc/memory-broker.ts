import type { Clock } from '../common/clock.ts'
import { ConnectionStatus } from './connection-status.ts'
import type { Message, ReceivedMessage } from './transport.ts'
import { WorkQueue } from './work-queue.ts'

/** A server of calls: `isConnected` is false while its transport is away. */
export interface CallServer {
  isConnected(): boolean
  answer(message: ReceivedMessage): Promise<Message>
}

export interface FanoutListener {
  isConnected(): boolean
  deliver(message: ReceivedMessage): void
}

/**
 * A message broker inside the process, shared by any number of MemoryTransports. What NATS with JetStream does
 * for us, without sockets: for the embedded cluster and for tests, which can take it away and bring it back.
 */
export class MemoryBroker {
  readonly status = new ConnectionStatus()
  readonly clock: Clock
  readonly ackWaitMs: number
  readonly #queues = new Map<string, WorkQueue>()
  readonly #servers = new Map<string, CallServer[]>()
  readonly #listeners = new Map<string, Set<FanoutListener>>()

  constructor(deps: { readonly clock: Clock }, options: { readonly ackWaitMs?: number } = {}) {
    this.clock = deps.clock
    this.ackWaitMs = options.ackWaitMs ?? 30_000
    this.status.set('connected')
  }

  /** From now on nobody reaches the broker: messages are neither taken nor delivered. */
  disconnect(): void {
    this.status.set('disconnected')
  }

  /** Ends what `disconnect` began. Stored messages are still there. */
  reconnect(): void {
    this.status.set('connected')
    for (const queue of this.#queues.values()) queue.pump()
  }

  /** Forgets every stored message, as a broker does whose disk was lost. */
  wipe(): void {
    for (const queue of this.#queues.values()) queue.wipe()
  }

  /** How many casts are stored: those that nobody acknowledged yet. */
  storedCasts(): number {
    let stored = 0
    for (const [name, queue] of this.#queues) if (name.startsWith('cast.')) stored += queue.size
    return stored
  }

  /** How many messages are stored in all: these, and dead letters. */
  stored(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.size, 0)
  }

  queue(name: string): WorkQueue {
    let queue = this.#queues.get(name)
    if (!queue) {
      queue = new WorkQueue({ clock: this.clock }, { ackWaitMs: this.ackWaitMs })
      this.#queues.set(name, queue)
    }
    return queue
  }

  addServer(subject: string, server: CallServer): () => void {
    const servers = this.#servers.get(subject) ?? []
    servers.push(server)
    this.#servers.set(subject, servers)
    return () => {
      const index = servers.indexOf(server)
      if (index >= 0) servers.splice(index, 1)
    }
  }

  /** The server whose turn it is, if any is there. */
  pickServer(subject: string): CallServer | undefined {
    const servers = this.#servers.get(subject)
    const server = servers?.find((candidate) => candidate.isConnected())
    if (!servers || !server) return undefined
    servers.splice(servers.indexOf(server), 1)
    servers.push(server)
    return server
  }

  addListener(topic: string, listener: FanoutListener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    listeners.add(listener)
    this.#listeners.set(topic, listeners)
    return () => {
      listeners.delete(listener)
    }
  }

  fanout(topic: string, message: ReceivedMessage): void {
    for (const listener of this.#listeners.get(topic) ?? []) {
      if (listener.isConnected()) setImmediate(() => listener.deliver(message))
    }
  }
}
