import {
  type Msg,
  nuid,
  RequestError,
  type RequestOptions,
  type SubscriptionOptions,
  TimeoutError,
} from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { MessageDeliveryFailure, QueueUndeclared } from './errors.ts'
import { NatsConsumer } from './nats-consumer.ts'
import { NatsLink, type NatsServerOptions, type NatsSession } from './nats-link.ts'
import { fromNats, toNatsHeaders } from './nats-message.ts'
import { NatsNames } from './nats-names.ts'
import { NatsPublisher } from './nats-publisher.ts'
import { NatsStores, type QueueSettings } from './nats-stores.ts'
import { Running } from './running.ts'
import { describeSender, type Sender } from './sender.ts'
import type { Target } from './target.ts'
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

export interface NatsTransportOptions extends NatsServerOptions {
  readonly sender: Sender
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

const JUST_BACK_RETRY_MS = 50

/** Messaging over NATS: casts and dead letters through JetStream work queues, calls and fanouts plain. */
export class NatsTransport implements Transport {
  readonly sender: Sender
  readonly #clock: Clock
  readonly #log: Logger
  readonly #link: NatsLink
  readonly #names: NatsNames
  readonly #stores: NatsStores
  readonly #publisher: NatsPublisher
  readonly #ackWaitMs: number
  readonly #publishDeadlineMs: number
  readonly #roundTripTimeoutMs: number
  readonly #pullExpiresMs: number
  readonly #heartbeatMs: number

  constructor(deps: { readonly log: Logger; readonly clock: Clock }, options: NatsTransportOptions) {
    const {
      sender,
      prefix,
      replicas,
      ackWaitMs,
      publishDeadlineMs,
      roundTripTimeoutMs,
      pullExpiresMs,
      heartbeatMs,
      ...server
    } = options
    this.sender = sender
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.rpc.nats')
    this.#names = new NatsNames(prefix)
    this.#stores = new NatsStores(
      { names: this.#names },
      { replicas: replicas ?? 1, makes: sender.service !== 'compute' && sender.service !== 'check' },
    )
    const inboxPrefix = this.#names.inboxPrefix(sender)
    this.#link = new NatsLink({ clock: deps.clock, log: this.#log }, { ...server, inboxPrefix })
    this.#publisher = new NatsPublisher(
      { link: this.#link, names: this.#names, stores: this.#stores, clock: this.#clock, log: this.#log },
      { sender },
    )
    // The agents need them all, and may make none.
    if (this.#stores.makes) this.#link.attach((session) => void this.#makeStreams(session))
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
    const subject = this.#names.cast(target, this.sender)
    const parcel = { store: 'casts', subject, message, id, about: target } as const
    await this.#publisher.store(parcel, this.#publishDeadlineMs)
  }

  async publishDeadLetter(topic: string, message: Message, id: string): Promise<void> {
    const subject = this.#names.deadLetter(topic, this.sender)
    const parcel = { store: 'dead', subject, message, id, about: { topic } } as const
    await this.#publisher.store(parcel, this.#publishDeadlineMs)
  }

  async declareQueue(target: Target): Promise<DeclaredQueue> {
    const session = await this.#publisher.session(target, this.#publishDeadlineMs)
    try {
      return await this.#stores.declareQueue(session, this.#queueOf(target))
    } catch (error) {
      throw new QueueUndeclared({ ...target, reason: messageOf(error) }, { cause: error })
    }
  }

  async consumeCasts(target: Target, options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    return this.#consume(this.#queueOf(target), options, handler)
  }

  async consumeDeadLetters(options: ConsumeOptions, handler: CastHandler): Promise<Subscription> {
    const { deadLetterConsumer: durable, deadLetters: filter } = this.#names
    return this.#consume({ store: 'dead', durable, filter, ackWaitMs: this.#ackWaitMs }, options, handler)
  }

  async request(target: Target, message: Message, timeoutMs: number): Promise<RequestOutcome> {
    const deadline = this.#clock.now() + timeoutMs
    for (;;) {
      const outcome = await this.#requestOnce(target, message, deadline)
      const leftMs = deadline - this.#clock.now()
      if (outcome.kind !== 'no-responders' || !this.#link.isJustBack() || leftMs <= JUST_BACK_RETRY_MS) {
        return outcome
      }
      // The broker was away, and the server may be on its way back to it as we were.
      await this.#clock.sleep(JUST_BACK_RETRY_MS)
    }
  }

  async #requestOnce(target: Target, message: Message, deadline: number): Promise<RequestOutcome> {
    const subject = this.#names.call(target, this.sender)
    const { nc } = await this.#publisher.session(target, deadline - this.#clock.now())
    const timeout = Math.max(1, deadline - this.#clock.now())
    const headers = toNatsHeaders(message.headers)
    try {
      const reply = await nc.request(subject, message.body, { timeout, headers, ...this.#answerFrom(target) })
      return { kind: 'message', message: fromNats(reply) }
    } catch (error) {
      if (error instanceof TimeoutError) return { kind: 'timeout' }
      if (error instanceof RequestError && error.isNoResponders()) return { kind: 'no-responders' }
      this.#publisher.throwIfRefused(error, target)
      throw new MessageDeliveryFailure({ ...target, reason: messageOf(error) }, { cause: error })
    }
  }

  /** A host may answer on subjects of its own alone; the services of a topic anywhere in our inbox. */
  #answerFrom({ topic, host }: Target): Partial<RequestOptions> {
    if (host === undefined) return {}
    return { noMux: true, reply: `${this.#names.answersOf({ topic, host }, this.sender)}.${nuid.next()}` }
  }

  serveCalls(target: Target, handler: (message: ReceivedMessage) => Promise<Message>): Promise<Subscription> {
    const subject = this.#names.calls(target)
    return this.#subscribe(subject, { queue: subject }, async (msg, sender) => {
      if (!this.#names.isInboxOf(sender, msg.reply ?? '')) {
        const facts = { sender: describeSender(sender), replyTo: msg.reply }
        this.#log.warn("Dropped a call that wants its answer in another's name", facts)
        return
      }
      const reply = await handler({ ...fromNats(msg), sender })
      try {
        msg.respond(reply.body, { headers: toNatsHeaders(reply.headers) })
      } catch (error) {
        // The caller is told by its own loss of the broker, or by its timeout.
        this.#log.debug('Could not answer a call', { subject, reason: messageOf(error) })
      }
    })
  }

  async publishFanout(topic: string, message: Message): Promise<void> {
    const subject = this.#names.fanout(topic, this.sender)
    const { nc } = await this.#publisher.session({ topic }, this.#publishDeadlineMs)
    try {
      nc.publish(subject, message.body, { headers: toNatsHeaders(message.headers) })
    } catch (error) {
      throw new MessageDeliveryFailure({ topic, reason: messageOf(error) }, { cause: error })
    }
  }

  subscribeFanout(
    topic: string,
    handler: (message: ReceivedMessage) => Promise<void>,
  ): Promise<Subscription> {
    const subject = this.#names.fanouts(topic)
    return this.#subscribe(subject, {}, (msg, sender) => handler({ ...fromNats(msg), sender }))
  }

  async roundTrip(): Promise<number> {
    return this.#publisher.roundTrip(this.#roundTripTimeoutMs)
  }

  #queueOf(target: Target): QueueSettings {
    const durable = this.#names.castConsumer(target)
    return { store: 'casts', durable, filter: this.#names.casts(target), ackWaitMs: this.#ackWaitMs }
  }

  async #consume(
    queue: QueueSettings,
    { maxConcurrent, signal, declareQueue }: ConsumeOptions,
    handler: CastHandler,
  ): Promise<Subscription> {
    this.#link.start()
    const consumer = new NatsConsumer(
      {
        link: this.#link,
        names: this.#names,
        declareQueue: declareQueue ?? ((session) => this.#stores.declareQueue(session, queue)),
        clock: this.#clock,
        log: this.#log,
      },
      {
        ...queue,
        declaredByOthers: declareQueue !== undefined,
        maxConcurrent,
        pullExpiresMs: this.#pullExpiresMs,
        heartbeatMs: this.#heartbeatMs,
      },
      handler,
    )
    await consumer.start(signal)
    return consumer
  }

  async #makeStreams(session: NatsSession): Promise<void> {
    try {
      await this.#stores.ensureStreams(session)
    } catch (error) {
      // JetStream is not up yet, or the connection went: whoever needs a stream makes it then.
      this.#log.debug('Could not make the streams', { reason: messageOf(error) })
    }
  }

  /** A plain subscription, made again on every new connection. Resolves when the broker knows of it. */
  async #subscribe(
    subject: string,
    options: SubscriptionOptions,
    handler: (msg: Msg, sender: Sender) => Promise<void>,
  ): Promise<Subscription> {
    const running = new Running()
    let drain: () => Promise<void> = () => Promise.resolve()
    const detach = this.#link.attach(({ nc }) => {
      const subscription = nc.subscribe(subject, {
        ...options,
        callback: (error, msg) => {
          // The link has said it: a subscription ends so only for want of a right.
          if (error) return
          const sender = this.#names.senderOf(msg.subject, subject)
          if (sender) running.add(handler(msg, sender))
          else this.#log.warn('Dropped a message of an unknown sender', { subject: msg.subject })
        },
      })
      drain = () => subscription.drain()
    })
    await this.connect()
    await this.#link.session?.nc.flush().catch(() => undefined)
    return {
      stop: async () => {
        detach()
        await drain().catch(() => undefined)
        await running.settled()
      },
    }
  }
}
