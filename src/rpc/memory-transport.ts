import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import { ConnectionStatus } from './connection-status.ts'
import { MessageDeliveryFailure } from './errors.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { Running } from './running.ts'
import type { Sender } from './sender.ts'
import { assertTarget, subjectOf, type Target } from './target.ts'
import type {
  CastHandler,
  ConsumeOptions,
  DeclaredQueue,
  Message,
  ReceivedMessage,
  RequestOutcome,
  Subscription,
  Transport,
  TransportStatus,
} from './transport.ts'
import type { WorkerLink } from './work-queue.ts'

const DEAD_LETTERS = 'dead'

export interface MemoryTransportOptions {
  readonly sender: Sender
  /** How long a send waits for a broker that is away. */
  readonly publishDeadlineMs?: number
  readonly roundTripTimeoutMs?: number
}

/**
 * Messaging inside one process: `memory://`, as oslo.messaging has `fake://`. A transport is what a process has
 * on a real broker: closing one is that process's death.
 */
export class MemoryTransport implements Transport {
  readonly sender: Sender
  readonly #broker: MemoryBroker
  readonly #clock: Clock
  readonly #log: Logger
  readonly #publishDeadlineMs: number
  readonly #roundTripTimeoutMs: number
  readonly #status = new ConnectionStatus()
  readonly #closed = new AbortController()
  /** What leaves the broker when this transport closes. */
  readonly #leave = new Set<() => void>()
  #joined = false
  #saidWaiting = false

  constructor(
    deps: { readonly broker: MemoryBroker; readonly log: Logger },
    options: MemoryTransportOptions,
  ) {
    this.sender = options.sender
    this.#broker = deps.broker
    this.#clock = deps.broker.clock
    this.#log = deps.log.named('nova.rpc.memory')
    this.#publishDeadlineMs = options.publishDeadlineMs ?? 30_000
    this.#roundTripTimeoutMs = options.roundTripTimeoutMs ?? 5000
  }

  get status(): TransportStatus {
    return this.#status.current
  }

  onStatus(listener: (status: TransportStatus) => void): () => void {
    return this.#status.onChange(listener)
  }

  async connect(signal?: AbortSignal): Promise<void> {
    this.#join()
    if (this.status === 'disconnected' && !this.#saidWaiting) {
      this.#saidWaiting = true
      this.#log.info('Waiting for the message broker')
    }
    await this.#status.whenConnected(
      signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal,
    )
  }

  close(): Promise<void> {
    this.#closed.abort(new Error('The transport is closed'))
    for (const leave of this.#leave) leave()
    this.#leave.clear()
    this.#status.set('disconnected')
    return Promise.resolve()
  }

  async publishCast(target: Target, message: Message, _id: string): Promise<void> {
    await this.#ready(target)
    this.#broker.queue(`cast.${subjectOf(target)}`).push(this.#sent(message))
  }

  /** Every queue is there. */
  async declareQueue(target: Target): Promise<DeclaredQueue> {
    await this.#ready(target)
    return { since: '', ackWaitMs: this.#broker.ackWaitMs }
  }

  consumeCasts(target: Target, options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    return this.#consume(`cast.${subjectOf(target)}`, options, handler)
  }

  async publishDeadLetter(topic: string, message: Message, _id: string): Promise<void> {
    await this.#ready({ topic })
    this.#broker.queue(DEAD_LETTERS).push(this.#sent(message))
  }

  consumeDeadLetters(options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    return this.#consume(DEAD_LETTERS, options, handler)
  }

  async request(target: Target, message: Message, timeoutMs: number): Promise<RequestOutcome> {
    assertTarget(target)
    const start = this.#clock.now()
    await this.#ready(target, timeoutMs)
    const server = this.#broker.pickServer(subjectOf(target))
    if (!server) return { kind: 'no-responders' }
    const { promise, resolve, reject } = Promise.withResolvers<RequestOutcome>()
    // As on a real broker: with the connection goes whatever the answer would have come over.
    const forget = this.#status.onChange(() =>
      reject(new MessageDeliveryFailure({ ...target, reason: 'the message broker went away' })),
    )
    const timer = this.#clock.after(timeoutMs - (this.#clock.now() - start), () =>
      resolve({ kind: 'timeout' }),
    )
    const ask = async (): Promise<void> => {
      const reply = await server.answer(this.#sent(message))
      // A reply finds its way back only if both ends can still reach the broker.
      if (server.isConnected() && this.status === 'connected')
        resolve({ kind: 'message', message: copy(reply) })
    }
    setImmediate(() => void ask())
    try {
      return await promise
    } finally {
      timer.cancel()
      forget()
    }
  }

  serveCalls(target: Target, handler: (message: ReceivedMessage) => Promise<Message>): Promise<Subscription> {
    const running = new Running()
    const leave = this.#broker.addServer(subjectOf(target), {
      isConnected: () => this.status === 'connected',
      answer: (message) => {
        const answer = handler(message)
        running.add(
          answer.then(
            () => undefined,
            () => undefined,
          ),
        )
        return answer
      },
    })
    return Promise.resolve(this.#subscription(leave, () => running.settled()))
  }

  async publishFanout(topic: string, message: Message): Promise<void> {
    await this.#ready({ topic })
    this.#broker.fanout(topic, this.#sent(message))
  }

  subscribeFanout(
    topic: string,
    handler: (message: ReceivedMessage) => Promise<void>,
  ): Promise<Subscription> {
    assertTarget({ topic })
    const running = new Running()
    const leave = this.#broker.addListener(topic, {
      isConnected: () => this.status === 'connected',
      deliver: (message) => {
        if (this.#closed.signal.aborted) return
        running.add(handler(message))
      },
    })
    return Promise.resolve(this.#subscription(leave, () => running.settled()))
  }

  async roundTrip(): Promise<number> {
    const start = this.#clock.now()
    await this.#ready({ topic: 'health' }, this.#roundTripTimeoutMs)
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    return this.#clock.now() - start
  }

  /** From here on the transport's status is the broker's, until it closes. */
  #join(): void {
    if (this.#joined || this.#closed.signal.aborted) return
    this.#joined = true
    this.#leave.add(this.#broker.status.onChange((status) => this.#status.set(status)))
    this.#status.set(this.#broker.status.current)
  }

  async #ready(target: Target, timeoutMs = this.#publishDeadlineMs): Promise<void> {
    this.#join()
    if (await this.#status.connectedWithin(this.#clock, timeoutMs, this.#closed.signal)) return
    const reason = this.#closed.signal.aborted
      ? 'the transport is closed'
      : `no message broker for ${timeoutMs} ms`
    throw new MessageDeliveryFailure({ ...target, reason })
  }

  #consume(queueName: string, options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    this.#join()
    const queue = this.#broker.queue(queueName)
    const link: WorkerLink = {
      maxConcurrent: options.maxConcurrent,
      handler,
      isConnected: () => this.status === 'connected',
      canSettle: () =>
        this.#status.whenConnected(this.#closed.signal).then(
          () => true,
          () => false,
        ),
    }
    const worker = queue.addWorker(link)
    const abandon = (): void => queue.abandon(link)
    this.#leave.add(abandon)
    return Promise.resolve(
      this.#subscription(
        () => undefined,
        async (late) => {
          // Still to be abandoned if the transport closes while handlers run.
          await worker.stop(late)
          this.#leave.delete(abandon)
        },
      ),
    )
  }

  #sent(message: Message): ReceivedMessage {
    return { ...copy(message), sender: this.sender }
  }

  #subscription(leave: () => void, settled: (late?: AbortSignal) => Promise<void>): Subscription {
    this.#leave.add(leave)
    return {
      stop: async (late) => {
        leave()
        this.#leave.delete(leave)
        await settled(late)
      },
    }
  }
}

/** Bodies are strings and cannot change; the headers are the only thing two ends could share. */
function copy(message: Message): Message {
  return { headers: { ...message.headers }, body: message.body }
}
