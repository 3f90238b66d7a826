import { DEFAULT_PREFIX, JETSTREAM, NatsNames, STORES, type StoreName } from './nats-names.ts'
import type { Sender } from './sender.ts'
import type { Target } from './target.ts'

/** What the broker lets a sender do, as NATS writes it: in a user JWT, or in its configuration file. */
export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[] }
  /** Present for one that answers calls: so many messages to where a call asks its answer to go, for so long. */
  readonly allowResponses?: { readonly max: number; readonly ttlMs: number }
}

/** Longer than any caller waits: see RpcClient's callTimeoutMs. */
const ANSWER_WITHIN_MS = 120_000

const COMPUTE = 'compute'
const SCHEDULER: Target = { topic: 'scheduler' }
const CONDUCTOR: Target = { topic: 'conductor' }

/**
 * Exactly the subjects that a sender needs, and none besides: what each service sends and takes, the JetStream
 * requests behind that, and answers to its own inbox.
 */
export function permissionsOf(sender: Sender, prefix: string = DEFAULT_PREFIX): NatsPermissions {
  const names = new NatsNames(prefix)
  const own = ownPermissions(names, sender)
  return {
    publish: { allow: [names.health(sender), ...own.publish] },
    subscribe: { allow: [`${names.inboxPrefix(sender)}.>`, ...own.subscribe] },
    ...(own.answers && { allowResponses: { max: 1, ttlMs: ANSWER_WITHIN_MS } }),
  }
}

interface OwnPermissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  readonly answers: boolean
}

function ownPermissions(names: NatsNames, sender: Sender): OwnPermissions {
  switch (sender.service) {
    case 'api':
      return {
        publish: [
          names.cast(SCHEDULER, sender),
          names.castToAnyHost(COMPUTE, sender),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [],
        answers: false,
      }
    case 'scheduler':
      return {
        publish: [
          names.castToAnyHost(COMPUTE, sender),
          names.deadLetter(SCHEDULER.topic, sender),
          ...consumeCasts(names, SCHEDULER),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [names.fanouts(SCHEDULER.topic)],
        answers: false,
      }
    case 'conductor':
      return {
        publish: [
          ...consume(names, 'dead', names.deadLetterConsumer, names.deadLetters),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [names.calls(CONDUCTOR)],
        answers: true,
      }
    // No more than everybody: that a message of its own goes round.
    case 'check':
      return { publish: [], subscribe: [], answers: false }
    case 'compute':
      return {
        publish: [
          names.cast(SCHEDULER, sender),
          names.fanout(SCHEDULER.topic, sender),
          names.call(CONDUCTOR, sender),
          names.deadLetter(COMPUTE, sender),
          ...consumeCasts(names, { topic: COMPUTE, host: sender.host }),
          // It waits for the stream, and sees when a lost one was made anew.
          JETSTREAM.streamInfo(names.stream('casts')),
        ],
        subscribe: [],
        answers: false,
      }
  }
}

function makeStream(names: NatsNames, store: StoreName): readonly string[] {
  const stream = names.stream(store)
  return [JETSTREAM.streamInfo(stream), JETSTREAM.streamCreate(stream)]
}

function consumeCasts(names: NatsNames, target: Target): readonly string[] {
  return consume(names, 'casts', names.castConsumer(target), names.casts(target))
}

/** The broker compares the filter in the subject with the one that is asked for. */
function consume(names: NatsNames, store: StoreName, durable: string, filter: string): readonly string[] {
  const stream = names.stream(store)
  return [
    JETSTREAM.consumerCreate(stream, durable, filter),
    JETSTREAM.consumerInfo(stream, durable),
    JETSTREAM.consumerNext(stream, durable),
    ...JETSTREAM.acks(stream, durable),
  ]
}
