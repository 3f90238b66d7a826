import { type Msg, RequestError, type SubscriptionOptions, TimeoutError } from '@nats-io/transport-node'
import { InvalidArgumentError } from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { MessageDeliveryFailure } from './errors.ts'
import { NatsConsumer } from './nats-consumer.ts'
import { NatsLink, type NatsServerOptions, type NatsSession } from './nats-link.ts'
import { fromNats, toNatsHeaders } from './nats-message.ts'
import { NatsNames, type StoreName } from './nats-names.ts'
import { Running } from './running.ts'
import type { Target } from './target.ts'
import type {
  CastHandler,
  ConsumeOptions,
  Message,
  RequestOutcome,
  Subscription,
  Transport,
  TransportStatus,
} from './transport.ts'

export interface NatsTransportOptions extends NatsServerOptions {
  /** Begins every subject, stream and so keeps installations on one broker apart. */
  readonly prefix?: string
  /** Copies of the streams in a NATS cluster. Only for streams this transport makes. */
  readonly replicas?: number
  /** After this silence of its worker a message is given to another. A living worker is never silent so long. */
  readonly ackWaitMs?: number
  /** How long a send waits for a broker that is away. */
  readonly publishDeadlineMs?: number
  readonly roundTripTimeoutMs?: number
  /** How long the broker lets a request for messages wait. */
  readonly pullExpiresMs?: number
  /** How often the broker says that it still knows of our request. */
  readonly heartbeatMs?: number
}

interface Envelope {
  readonly subject: string
  readonly message: Message
  readonly id: string
  readonly about: Target
}

const PUBLISH_TIMEOUT_MS = 5000
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1000

/** Messaging over NATS: casts and dead letters through JetStream work queues, calls and fanouts plain. */
export class NatsTransport implements Transport {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #link: NatsLink
  readonly #names: NatsNames
  readonly #ackWaitMs: number
  readonly #publishDeadlineMs: number
  readonly #roundTripTimeoutMs: number
  readonly #pullExpiresMs: number
  readonly #heartbeatMs: number

  constructor(deps: { readonly log: Logger; readonly clock: Clock }, options: NatsTransportOptions) {
    const {
      prefix,
      replicas,
      ackWaitMs,
      publishDeadlineMs,
      roundTripTimeoutMs,
      pullExpiresMs,
      heartbeatMs,
      ...server
    } = options
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.rpc.nats')
    this.#link = new NatsLink({ clock: deps.clock, log: this.#log }, server)
    this.#names = new NatsNames({ prefix: prefix ?? 'kilonova', replicas: replicas ?? 1 })
    this.#ackWaitMs = ackWaitMs ?? 30_000
    this.#publishDeadlineMs = publishDeadlineMs ?? 30_000
    this.#roundTripTimeoutMs = roundTripTimeoutMs ?? 5000
    this.#pullExpiresMs = pullExpiresMs ?? 120_000
    this.#heartbeatMs = heartbeatMs ?? 15_000
  }

  get status(): TransportStatus {
    return this.#link.status.current
  }

  onStatus(listener: (status: TransportStatus) => void): () => void {
    return this.#link.status.onChange(listener)
  }

  async connect(signal?: AbortSignal): Promise<void> {
    this.#link.start()
    const { closed } = this.#link
    await this.#link.status.whenConnected(signal ? AbortSignal.any([signal, closed]) : closed)
  }

  async close(): Promise<void> {
    await this.#link.close()
  }

  async publishCast(target: Target, message: Message, id: string): Promise<void> {
    await this.#store('casts', { subject: this.#names.cast(target), message, id, about: target })
  }

  async publishDeadLetter(topic: string, message: Message, id: string): Promise<void> {
    await this.#store('dead', { subject: this.#names.deadLetter(topic), message, id, about: { topic } })
  }

  async consumeCasts(target: Target, options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    const durable = this.#names.castConsumer(target)
    return this.#consume({ store: 'casts', durable, subject: this.#names.cast(target), ...options }, handler)
  }

  async consumeDeadLetters(options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    const durable = this.#names.deadLetterConsumer
    return this.#consume({ store: 'dead', durable, subject: this.#names.deadLetters, ...options }, handler)
  }

  async request(target: Target, message: Message, timeoutMs: number): Promise<RequestOutcome> {
    const subject = this.#names.call(target)
    const start = this.#clock.now()
    const { nc } = await this.#session(target, timeoutMs)
    const timeout = Math.max(1, timeoutMs - (this.#clock.now() - start))
    try {
      const reply = await nc.request(subject, message.body, {
        timeout,
        headers: toNatsHeaders(message.headers),
      })
      return { kind: 'message', message: fromNats(reply) }
    } catch (error) {
      if (error instanceof TimeoutError) return { kind: 'timeout' }
      if (error instanceof RequestError && error.isNoResponders()) return { kind: 'no-responders' }
      throw new MessageDeliveryFailure({ ...target, reason: messageOf(error) }, { cause: error })
    }
  }

  serveCalls(target: Target, handler: (message: Message) => Promise<Message>): Promise<Subscription> {
    const subject = this.#names.call(target)
    return this.#subscribe(subject, { queue: subject }, async (msg) => {
      const reply = await handler(fromNats(msg))
      try {
        msg.respond(reply.body, { headers: toNatsHeaders(reply.headers) })
      } catch (error) {
        // The caller is told by its own loss of the broker, or by its timeout.
        this.#log.debug('Could not answer a call', { subject, reason: messageOf(error) })
      }
    })
  }

  async publishFanout(topic: string, message: Message): Promise<void> {
    const subject = this.#names.fanout(topic)
    const { nc } = await this.#session({ topic }, this.#publishDeadlineMs)
    try {
      nc.publish(subject, message.body, { headers: toNatsHeaders(message.headers) })
    } catch (error) {
      throw new MessageDeliveryFailure({ topic, reason: messageOf(error) }, { cause: error })
    }
  }

  subscribeFanout(topic: string, handler: (message: Message) => Promise<void>): Promise<Subscription> {
    return this.#subscribe(this.#names.fanout(topic), {}, (msg) => handler(fromNats(msg)))
  }

  /** Through the very stream that casts go through: stored, acknowledged, and taken out again. */
  async roundTrip(): Promise<number> {
    const start = this.#clock.now()
    const session = await this.#session({ topic: 'health' }, this.#roundTripTimeoutMs)
    const store = (): Promise<{ seq: number }> =>
      session.js.publish(this.#names.health, '', { timeout: this.#roundTripTimeoutMs })
    const stored = await store().catch(async (error: unknown) => {
      if (!isNoStream(error)) throw error
      await this.#names.ensureStream(session, 'casts')
      return store()
    })
    await session.jsm.streams.deleteMessage(this.#names.stream('casts'), stored.seq, false)
    return this.#clock.now() - start
  }

  async #session(about: Target, timeoutMs: number): Promise<NatsSession> {
    const session = await this.#link.sessionWithin(timeoutMs)
    if (session) return session
    const reason = this.#link.closed.aborted
      ? 'the transport is closed'
      : `no message broker for ${timeoutMs} ms`
    throw new MessageDeliveryFailure({ ...about, reason })
  }

  /**
   * Publishes until the stream has it. Every try has the same id, so that one whose ack was lost is not stored
   * twice.
   */
  async #store(store: StoreName, envelope: Envelope): Promise<void> {
    const { subject, message, id, about } = envelope
    const deadline = this.#clock.now() + this.#publishDeadlineMs
    let delayMs = FIRST_RETRY_MS
    for (;;) {
      const leftMs = Math.max(1, deadline - this.#clock.now())
      const session = await this.#session(about, leftMs)
      try {
        const timeout = Math.min(leftMs, PUBLISH_TIMEOUT_MS)
        const headers = toNatsHeaders(message.headers)
        await session.js.publish(subject, message.body, { msgID: id, headers, timeout })
        return
      } catch (error) {
        const final = error instanceof InvalidArgumentError || this.#clock.now() + delayMs >= deadline
        if (final || this.#link.closed.aborted) {
          throw new MessageDeliveryFailure({ ...about, reason: messageOf(error) }, { cause: error })
        }
        this.#log.debug('Publishing again', { subject, reason: messageOf(error) })
        if (isNoStream(error)) await this.#makeStream(session, store)
        await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)
      }
    }
  }

  async #makeStream(session: NatsSession, store: StoreName): Promise<void> {
    try {
      await this.#names.ensureStream(session, store)
    } catch (error) {
      // JetStream is not up yet, or the connection went: publishing again shows which.
      this.#log.debug('Could not make a stream', { store, reason: messageOf(error) })
    }
  }

  async #consume(
    options: ConsumeOptions & { store: StoreName; durable: string; subject: string },
    handler: CastHandler,
  ): Promise<Subscription> {
    this.#link.start()
    const consumer = new NatsConsumer(
      { link: this.#link, names: this.#names, clock: this.#clock, log: this.#log },
      {
        ...options,
        ackWaitMs: this.#ackWaitMs,
        pullExpiresMs: this.#pullExpiresMs,
        heartbeatMs: this.#heartbeatMs,
      },
      handler,
    )
    await consumer.start()
    return consumer
  }

  /** A plain subscription, made again on every new connection. Resolves when the broker knows of it. */
  async #subscribe(
    subject: string,
    options: SubscriptionOptions,
    handler: (msg: Msg) => Promise<void>,
  ): Promise<Subscription> {
    const running = new Running()
    let drain: () => Promise<void> = () => Promise.resolve()
    const detach = this.#link.attach(({ nc }) => {
      const subscription = nc.subscribe(subject, {
        ...options,
        callback: (error, msg) => {
          if (error) this.#log.error('A subscription was refused', { subject, reason: error.message })
          else running.add(handler(msg))
        },
      })
      drain = () => subscription.drain()
    })
    const session = await this.#session({ topic: subject }, this.#publishDeadlineMs)
    await session.nc.flush().catch(() => undefined)
    return {
      stop: async () => {
        detach()
        await drain().catch(() => undefined)
        await running.settled()
      },
    }
  }
}

/** Nobody listens on the subject: no stream has it, or JetStream is not there (yet). */
function isNoStream(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders()
}
