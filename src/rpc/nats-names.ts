import { AckPolicy, JetStreamApiError, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { NatsSession } from './nats-link.ts'
import { consumerOf, subjectOf, type Target } from './target.ts'

/** The two stores: work to do, and work that was given up. */
export type StoreName = 'casts' | 'dead'

const DUPLICATE_WINDOW_MS = 60_000
/**
 * Messages whose delayed retry is pending count as delivered and unacknowledged: with JetStream's 1000 a burst
 * of failures would stop the whole consumer.
 */
const MAX_ACK_PENDING = 50_000
const STREAM_NOT_FOUND = 10059
const ALREADY_IN_USE = 10058
const CONSUMER_DIFFERS = 10148

/** How subjects, streams and consumers are called on the broker, and what they are like. */
export class NatsNames {
  readonly #prefix: string
  readonly #replicas: number

  constructor(options: { readonly prefix: string; readonly replicas: number }) {
    if (!/^[a-z0-9_]+$/.test(options.prefix)) throw new TypeError(`Not a prefix: ${options.prefix}`)
    this.#prefix = options.prefix
    this.#replicas = options.replicas
  }

  /** `KILONOVA_CASTS`, `KILONOVA_DEAD`. */
  stream(store: StoreName): string {
    return `${this.#prefix}_${store}`.toUpperCase()
  }

  cast(target: Target): string {
    return `${this.#prefix}.cast.${subjectOf(target)}`
  }

  castConsumer(target: Target): string {
    return consumerOf(target)
  }

  call(target: Target): string {
    return `${this.#prefix}.call.${subjectOf(target)}`
  }

  fanout(topic: string): string {
    return `${this.#prefix}.fanout.${subjectOf({ topic })}`
  }

  deadLetter(topic: string): string {
    return `${this.#prefix}.dead.${subjectOf({ topic })}`
  }

  get deadLetters(): string {
    return `${this.#prefix}.dead.>`
  }

  get deadLetterConsumer(): string {
    return 'dead'
  }

  /** Within the store of casts, and no topic's: topics begin with a letter. */
  get health(): string {
    return `${this.#prefix}.cast._health`
  }

  /**
   * Makes the stream if it is not there. One that is there is left as it is: its limits and replicas are its
   * operator's.
   *
   * @returns when the stream was made: a new one starts to count its messages anew.
   */
  async ensureStream(session: NatsSession, store: StoreName): Promise<string> {
    const name = this.stream(store)
    try {
      return (await session.jsm.streams.info(name)).created
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error
    }
    const subject = store === 'casts' ? `${this.#prefix}.cast.>` : this.deadLetters
    try {
      const made = await session.jsm.streams.add({
        name,
        subjects: [subject],
        retention: RetentionPolicy.Workqueue,
        storage: StorageType.File,
        num_replicas: this.#replicas,
        duplicate_window: nanos(DUPLICATE_WINDOW_MS),
      })
      return made.created
    } catch (error) {
      // Somebody else made it meanwhile, perhaps a little differently.
      if (!isApiError(error, ALREADY_IN_USE)) throw error
      return (await session.jsm.streams.info(name)).created
    }
  }

  /** Makes the durable consumer, or brings an older one to these settings. */
  async ensureConsumer(session: NatsSession, store: StoreName, consumer: ConsumerSettings): Promise<void> {
    const stream = this.stream(store)
    const settings = {
      filter_subject: consumer.subject,
      ack_wait: nanos(consumer.ackWaitMs),
      // We count, because a message that reached JetStream's limit stays in the stream for ever.
      max_deliver: -1,
      max_ack_pending: MAX_ACK_PENDING,
    }
    try {
      const identity = { durable_name: consumer.durable, ack_policy: AckPolicy.Explicit }
      await session.jsm.consumers.add(stream, { ...identity, ...settings })
    } catch (error) {
      if (!isApiError(error, CONSUMER_DIFFERS)) throw error
      await session.jsm.consumers.update(stream, consumer.durable, settings)
    }
  }
}

export interface ConsumerSettings {
  readonly durable: string
  readonly subject: string
  readonly ackWaitMs: number
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}
