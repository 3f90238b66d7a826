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
import type { DeclaredQueue } from './transport.ts'

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

/** A durable consumer as it is to be: a queue. */
export interface QueueSettings {
  readonly store: StoreName
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
      /** Whether what is to be stored may have its stream made first; else the control plane makes it. */
      readonly makes: boolean
    },
  ) {
    this.#names = deps.names
    this.#replicas = options.replicas
    this.#mayMake = options.makes
  }

  /** Whether this sender makes streams for what it sends, or leaves them to the control plane. */
  get makes(): boolean {
    return this.#mayMake
  }

  /** Makes every stream that is not there. */
  async ensureStreams(session: NatsSession): Promise<void> {
    for (const store of STORES) await this.ensureStream(session, store)
  }

  /**
   * Makes the stream if it is not there. One that is there is left as it is: its limits and replicas are its
   * operator's.
   *
   * @returns when the stream was made: a new one starts to count its messages anew.
   */
  async ensureStream(session: NatsSession, store: StoreName): Promise<string> {
    const name = this.#names.stream(store)
    try {
      return (await session.jsm.streams.info(name)).created
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error
    }
    try {
      return (await session.jsm.streams.add(this.#configOf(store))).created
    } catch (error) {
      // Somebody else made it meanwhile, perhaps a little differently.
      if (!isApiError(error, ALREADY_IN_USE)) throw error
      return (await session.jsm.streams.info(name)).created
    }
  }

  /** Makes the stream and the durable consumer, or brings an older consumer to these settings. */
  async declareQueue(session: NatsSession, queue: QueueSettings): Promise<DeclaredQueue> {
    const since = await this.ensureStream(session, queue.store)
    await this.#ensureConsumer(session, queue)
    return { since, ackWaitMs: queue.ackWaitMs }
  }

  async #ensureConsumer(session: NatsSession, queue: QueueSettings): Promise<void> {
    const stream = this.#names.stream(queue.store)
    const settings = {
      filter_subject: queue.filter,
      ack_wait: nanos(queue.ackWaitMs),
      // We count, because a message that reached JetStream's limit stays in the stream for ever.
      max_deliver: -1,
      max_ack_pending: MAX_ACK_PENDING,
    }
    try {
      const identity = { durable_name: queue.durable, ack_policy: AckPolicy.Explicit }
      await session.jsm.consumers.add(stream, { ...identity, ...settings })
    } catch (error) {
      if (!isApiError(error, CONSUMER_DIFFERS)) throw error
      await session.jsm.consumers.update(stream, queue.durable, settings)
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

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}
