import { InvalidArgumentError, RequestError } from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { MessageDeliveryFailure } from './errors.ts'
import type { NatsLink, NatsSession } from './nats-link.ts'
import { toNatsHeaders } from './nats-message.ts'
import type { NatsNames, StoreName } from './nats-names.ts'
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
  readonly #clock: Clock
  readonly #log: Logger

  constructor(deps: {
    readonly link: NatsLink
    readonly names: NatsNames
    readonly clock: Clock
    readonly log: Logger
  }) {
    this.#link = deps.link
    this.#names = deps.names
    this.#clock = deps.clock
    this.#log = deps.log
  }

  /** @throws MessageDeliveryFailure without a connection within `timeoutMs`. */
  async session(about: Target, timeoutMs: number): Promise<NatsSession> {
    const session = await this.#link.sessionWithin(timeoutMs)
    if (session) return session
    const reason = this.#link.closed.aborted
      ? 'the transport is closed'
      : `no message broker for ${timeoutMs} ms`
    throw new MessageDeliveryFailure({ ...about, reason })
  }

  /**
   * Resolves when the stream has the message. Every try has the same id, so that one whose ack was lost is not
   * stored twice.
   *
   * @throws MessageDeliveryFailure when no try succeeded within `withinMs`.
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
        // An invalid argument is a message larger than this broker takes: it will not shrink.
        const final = error instanceof InvalidArgumentError || this.#clock.now() + delayMs >= deadline
        if (final || this.#link.closed.aborted) {
          throw new MessageDeliveryFailure({ ...about, reason: messageOf(error) }, { cause: error })
        }
        this.#log.debug('Publishing again', { subject, reason: messageOf(error) })
        if (isNoStream(error)) await this.#makeStream(session, parcel.store)
        await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)
      }
    }
  }

  /**
   * Through the very stream that casts go through: stored, acknowledged, and taken out again.
   *
   * @returns milliseconds it took.
   */
  async roundTrip(timeoutMs: number): Promise<number> {
    const start = this.#clock.now()
    const session = await this.session({ topic: 'health' }, timeoutMs)
    const store = (): Promise<{ seq: number }> =>
      session.js.publish(this.#names.health, '', { timeout: timeoutMs })
    const stored = await store().catch(async (error: unknown) => {
      if (!isNoStream(error)) throw error
      await this.#names.ensureStream(session, 'casts')
      return store()
    })
    await session.jsm.streams.deleteMessage(this.#names.stream('casts'), stored.seq, false)
    return this.#clock.now() - start
  }

  async #makeStream(session: NatsSession, store: StoreName): Promise<void> {
    try {
      await this.#names.ensureStream(session, store)
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
