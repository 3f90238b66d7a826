import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  type StreamConfig,
  StorageType,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { NatsSession } from './nats-link.ts'
import { type NatsNames, STORES, type StoreName } from './nats-names.ts'

const DUPLICATE_WINDOW_MS = 60_000
/** A sign of life is worth nothing once the next one came. */
const HEALTH_KEPT_MS = 60_000
/**
 * Messages whose delayed retry is pending count as delivered and unacknowledged: with JetStream's 1000 a burst
 * of failures would stop the whole consumer.
 */
const MAX_ACK_PENDING = 50_000
const STREAM_NOT_FOUND = 10059
const ALREADY_IN_USE = 10058
const CONSUMER_DIFFERS = 10148

export interface ConsumerSettings {
  readonly durable: string
  /** Whose messages it takes: a subject, perhaps with wildcards. */
  readonly filter: string
  readonly ackWaitMs: number
}

/** The streams and consumers on the broker. */
export class NatsStores {
  readonly #names: NatsNames
  readonly #replicas: number
  readonly #mayMake: boolean

  constructor(
    deps: { readonly names: NatsNames },
    options: {
      readonly replicas: number
      /** False where streams that are not there are waited for: the control plane makes them. */
      readonly makes: boolean
    },
  ) {
    this.#names = deps.names
    this.#replicas = options.replicas
    this.#mayMake = options.makes
  }

  /** Whether streams that are not there are made, or waited for until the control plane has made them. */
  get makes(): boolean {
    return this.#mayMake
  }

  /** Makes every stream that is not there, if this sender makes streams at all. */
  async ensureStreams(session: NatsSession): Promise<void> {
    for (const store of STORES) await this.ensureStream(session, store)
  }

  /**
   * Makes the stream if it is not there. One that is there is left as it is: its limits and replicas are its
   * operator's.
   *
   * @returns when the stream was made: a new one starts to count its messages anew.
   * @throws NoStream when it is not there and others make it.
   */
  async ensureStream(session: NatsSession, store: StoreName): Promise<string> {
    const name = this.#names.stream(store)
    try {
      return (await session.jsm.streams.info(name)).created
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error
      if (!this.#mayMake) throw new NoStream(name, { cause: error })
    }
    try {
      return (await session.jsm.streams.add(this.#configOf(store))).created
    } catch (error) {
      // Somebody else made it meanwhile, perhaps a little differently.
      if (!isApiError(error, ALREADY_IN_USE)) throw error
      return (await session.jsm.streams.info(name)).created
    }
  }

  /** Makes the durable consumer, or brings an older one to these settings. */
  async ensureConsumer(session: NatsSession, store: StoreName, consumer: ConsumerSettings): Promise<void> {
    const stream = this.#names.stream(store)
    const settings = {
      filter_subject: consumer.filter,
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

  #configOf(store: StoreName): Partial<StreamConfig> & { readonly name: string } {
    const common = {
      name: this.#names.stream(store),
      subjects: [this.#names.streamSubject(store)],
      storage: StorageType.File,
      num_replicas: this.#replicas,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    }
    if (store !== 'health') return { ...common, retention: RetentionPolicy.Workqueue }
    return {
      ...common,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      max_age: nanos(HEALTH_KEPT_MS),
    }
  }
}

/** A stream that this sender has no right to make is not there yet. */
export class NoStream extends Error {
  constructor(name: string, options?: ErrorOptions) {
    super(`the control plane has not made the stream ${name} yet`, options)
  }
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}
