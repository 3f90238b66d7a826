import { InvalidArgumentError, RequestError } from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { MessageDeliveryFailure, MessageRefused } from './errors.ts'
import type { NatsLink, NatsSession } from './nats-link.ts'
import { toNatsHeaders } from './nats-message.ts'
import { violationOf } from './nats-trouble.ts'
import type { NatsNames, StoreName } from './nats-names.ts'
import type { NatsStores } from './nats-stores.ts'
import { describeSender, type Sender } from './sender.ts'
import type { Target } from './target.ts'
import type { Message } from './transport.ts'

/** A message on its way into a store. */
export interface Parcel {
  readonly store: StoreName
  readonly subject: string
  readonly message: Message
  /** Fresh for every send: the broker drops a second one of the same id. */
  readonly id: string
  /** For the error, should it fail. */
  readonly about: Target
}

const TRY_TIMEOUT_MS = 5000
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1000

/** Puts messages into the streams, through losses of the broker and of the streams. */
export class NatsPublisher {
  readonly #link: NatsLink
  readonly #names: NatsNames
  readonly #stores: NatsStores
  readonly #clock: Clock
  readonly #log: Logger
  readonly #sender: Sender

  constructor(
    deps: {
      readonly link: NatsLink
      readonly names: NatsNames
      readonly stores: NatsStores
      readonly clock: Clock
      readonly log: Logger
    },
    options: { readonly sender: Sender },
  ) {
    this.#link = deps.link
    this.#names = deps.names
    this.#stores = deps.stores
    this.#clock = deps.clock
    this.#log = deps.log
    this.#sender = options.sender
  }

  /** @throws MessageDeliveryFailure without a connection within `timeoutMs`. */
  async session(about: Target, timeoutMs: number): Promise<NatsSession> {
    const session = await this.#link.sessionWithin(timeoutMs)
    if (session) return session
    const why = this.#link.trouble === undefined ? '' : `: ${this.#link.trouble}`
    const reason = this.#link.closed.aborted
      ? 'the transport is closed'
      : `no message broker for ${timeoutMs} ms${why}`
    throw new MessageDeliveryFailure({ ...about, reason })
  }

  /**
   * Resolves when the stream has the message. Every try has the same id, so that one whose ack was lost is not
   * stored twice.
   *
   * @throws MessageDeliveryFailure when no try succeeded within `withinMs`.
   * @throws MessageRefused at once, when we have no right to send it.
   */
  async store(parcel: Parcel, withinMs: number): Promise<void> {
    const { subject, message, id: msgID, about } = parcel
    const deadline = this.#clock.now() + withinMs
    let delayMs = FIRST_RETRY_MS
    for (;;) {
      const leftMs = Math.max(1, deadline - this.#clock.now())
      const session = await this.session(about, leftMs)
      try {
        const timeout = Math.min(leftMs, TRY_TIMEOUT_MS)
        await session.js.publish(subject, message.body, {
          msgID,
          timeout,
          headers: toNatsHeaders(message.headers),
        })
        return
      } catch (error) {
        this.throwIfRefused(error, about)
        // An invalid argument is a message larger than this broker takes: it will not shrink.
        const final = error instanceof InvalidArgumentError || this.#clock.now() + delayMs >= deadline
        if (final || this.#link.closed.aborted) {
          throw new MessageDeliveryFailure({ ...about, reason: this.#reasonOf(error) }, { cause: error })
        }
        this.#log.debug('Publishing again', { subject, reason: messageOf(error) })
        if (this.#stores.makes && isNoStream(error)) await this.#makeStream(session, parcel.store)
        await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)
      }
    }
  }

  /** @throws MessageRefused when the error says that we have no right to send that. */
  throwIfRefused(error: unknown, about: Target): void {
    const violation = violationOf(error)
    if (!violation) return
    const facts = { sender: describeSender(this.#sender), subject: violation.subject }
    throw new MessageRefused({ ...about, ...facts }, { cause: error })
  }

  /**
   * Stored and acknowledged, in place of the one before.
   *
   * @returns milliseconds it took.
   */
  async roundTrip(timeoutMs: number): Promise<number> {
    const start = this.#clock.now()
    const session = await this.session({ topic: 'health' }, timeoutMs)
    const subject = this.#names.health(this.#sender)
    const store = (): Promise<unknown> => session.js.publish(subject, '', { timeout: timeoutMs })
    await store().catch(async (error: unknown) => {
      if (!isNoStream(error) || !this.#stores.makes) throw error
      await this.#stores.ensureStream(session, 'health')
      await store()
    })
    return this.#clock.now() - start
  }

  #reasonOf(error: unknown): string {
    if (!isNoStream(error)) return messageOf(error)
    return this.#stores.makes ? 'no stream takes it' : 'no stream takes it: the control plane makes them'
  }

  async #makeStream(session: NatsSession, store: StoreName): Promise<void> {
    try {
      await this.#stores.ensureStream(session, store)
    } catch (error) {
      // JetStream is not up yet, or the connection went: publishing again shows which.
      this.#log.debug('Could not make a stream', { store, reason: messageOf(error) })
    }
  }
}

/** Nobody listens on the subject: no stream has it, or JetStream is not there (yet). */
function isNoStream(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders()
}
