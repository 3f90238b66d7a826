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
/** Any further tokens. */
const ANY = '>'

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
    return `${this.#prefix}.${SUBJECT_OF_STORE[store]}.${ANY}`
  }

  /** `kilonova.cast.scheduler.by.api` */
  cast(target: Target, sender: Sender): string {
    return by(this.#cast(target), sender)
  }

  /** The casts of a target, whoever sent them: `kilonova.cast.scheduler.by.>`. */
  casts(target: Target): string {
    return byAnyone(this.#cast(target))
  }

  /** Where all answers to agents go. */
  get inboxesOfCompute(): string {
    return `_INBOX.compute.${ANY}`
  }

  /** The casts to every host of a topic: `kilonova.cast.compute.*.by.scheduler`. */
  castToAnyHost(topic: string, sender: Sender): string {
    return by(`${this.#cast({ topic })}.*`, sender)
  }

  /** The casts of every host of a topic, each host's on its own: `kilonova.cast.compute.*.by.>`. */
  castsOfAnyHost(topic: string): string {
    return byAnyone(`${this.#cast({ topic })}.*`)
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

  /** The calls of every host of a topic: `kilonova.call.compute.*.by.api`. */
  callToAnyHost(topic: string, sender: Sender): string {
    return by(`${this.#call({ topic })}.*`, sender)
  }

  /**
   * Begins the subjects that a host answers a caller on: `_INBOX.api.compute.node-1`. A host has no more of a caller's
   * inbox, so that it cannot answer in place of another.
   */
  answersOf(target: Required<Target>, caller: Sender): string {
    return `${this.inboxPrefix(caller)}.${subjectOf(target)}`
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
   * Who published a message that came by the filter; undefined when its subject names nobody, or does not fit the
   * filter. JetStream hands a message on under its own subject to wherever a pull asks it to: what was stored for
   * one consumer must not count as sent to another subscription.
   */
  senderOf(subject: string, filter: string): Sender | undefined {
    if (!subject.startsWith(filter.slice(0, -ANY.length))) return undefined
    // A target may end in `by` (a host of that name), a sender cannot be followed by one: the last counts.
    const at = subject.lastIndexOf(BY)
    return at < 0 ? undefined : senderOfToken(subject.slice(at + BY.length))
  }

  /**
   * Whether an answer to this subject can reach the sender alone. We may publish where the sender may not: an
   * answer must not be its way to get there.
   */
  isInboxOf(sender: Sender, subject: string): boolean {
    return subject.startsWith(`${this.inboxPrefix(sender)}.`)
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
  return `${subject}${BY}${ANY}`
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
    // At least eleven tokens, so that it is no other consumer's ack in the first form.
    `$JS.ACK.*.*.${stream}.${durable}.*.*.*.*.>`,
  ],
} as const
