import { type Sender, senderOfToken, senderToken } from './sender.ts'
import { consumerOf, subjectOf, type Target } from './target.ts'

/**
 * The stores: work to do, work that was given up, and the last sign of life of each sender, which shows that the
 * broker can store at all.
 */
export const STORES = ['casts', 'dead', 'health'] as const
export type StoreName = (typeof STORES)[number]

/** Begins every name, unless several installations share a broker. */
export const DEFAULT_PREFIX = 'kilonova'

/** Between the target and the sender of a message. */
const BY = '.by.'

/** How subjects, streams and consumers are called on the broker. */
export class NatsNames {
  readonly #prefix: string

  constructor(prefix: string = DEFAULT_PREFIX) {
    if (!/^[a-z0-9_]+$/.test(prefix)) throw new TypeError(`Not a prefix: ${prefix}`)
    this.#prefix = prefix
  }

  /** `KILONOVA_CASTS`, `KILONOVA_DEAD`, `KILONOVA_HEALTH`. */
  stream(store: StoreName): string {
    return `${this.#prefix}_${store}`.toUpperCase()
  }

  /** What a stream takes in. */
  streamSubject(store: StoreName): string {
    return `${this.#prefix}.${SUBJECT_OF_STORE[store]}.>`
  }

  /** `kilonova.cast.scheduler.by.api` */
  cast(target: Target, sender: Sender): string {
    return by(this.#cast(target), sender)
  }

  /** The casts of a target, whoever sent them: `kilonova.cast.scheduler.by.>`. */
  casts(target: Target): string {
    return byAnyone(this.#cast(target))
  }

  /** The casts to every host of a topic: `kilonova.cast.compute.*.by.scheduler`. */
  castToAnyHost(topic: string, sender: Sender): string {
    return by(`${this.#cast({ topic })}.*`, sender)
  }

  castConsumer(target: Target): string {
    return consumerOf(target)
  }

  call(target: Target, sender: Sender): string {
    return by(this.#call(target), sender)
  }

  calls(target: Target): string {
    return byAnyone(this.#call(target))
  }

  fanout(topic: string, sender: Sender): string {
    return by(this.#fanout(topic), sender)
  }

  fanouts(topic: string): string {
    return byAnyone(this.#fanout(topic))
  }

  deadLetter(topic: string, sender: Sender): string {
    return by(`${this.#prefix}.dead.${subjectOf({ topic })}`, sender)
  }

  /** The dead letters of every topic. */
  get deadLetters(): string {
    return this.streamSubject('dead')
  }

  get deadLetterConsumer(): string {
    return 'dead'
  }

  /** Where a sender shows that it can have something stored. */
  health(sender: Sender): string {
    return by(`${this.#prefix}.health`, sender)
  }

  /** Begins every subject that a sender's answers come to, and no other sender's. */
  inboxPrefix(sender: Sender): string {
    return `_INBOX.${senderToken(sender)}`
  }

  /**
   * Who published to this subject; undefined when it is none of ours, or names nobody. A target's last token may
   * be `by` (a host of that name), a sender's is never followed by one: the last counts.
   */
  senderOf(subject: string): Sender | undefined {
    const at = subject.lastIndexOf(BY)
    if (!subject.startsWith(`${this.#prefix}.`) || at < 0) return undefined
    return senderOfToken(subject.slice(at + BY.length))
  }

  #cast(target: Target): string {
    return `${this.#prefix}.cast.${subjectOf(target)}`
  }

  #call(target: Target): string {
    return `${this.#prefix}.call.${subjectOf(target)}`
  }

  #fanout(topic: string): string {
    return `${this.#prefix}.fanout.${subjectOf({ topic })}`
  }
}

const SUBJECT_OF_STORE: Readonly<Record<StoreName, string>> = {
  casts: 'cast',
  dead: 'dead',
  health: 'health',
}

function by(subject: string, sender: Sender): string {
  return `${subject}${BY}${senderToken(sender)}`
}

function byAnyone(subject: string): string {
  return `${subject}${BY}>`
}

/** JetStream's own subjects, for clients of one account without a domain. */
export const JETSTREAM = {
  streamInfo: (stream: string): string => `$JS.API.STREAM.INFO.${stream}`,
  streamCreate: (stream: string): string => `$JS.API.STREAM.CREATE.${stream}`,
  consumerInfo: (stream: string, durable: string): string => `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
  consumerCreate: (stream: string, durable: string, filter: string): string =>
    `$JS.API.CONSUMER.CREATE.${stream}.${durable}.${filter}`,
  consumerNext: (stream: string, durable: string): string => `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
  /** Two forms are in use, without and with domain and account. */
  acks: (stream: string, durable: string): readonly string[] => [
    `$JS.ACK.${stream}.${durable}.>`,
    `$JS.ACK.*.*.${stream}.${durable}.>`,
  ],
} as const
