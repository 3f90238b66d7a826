import { DEFAULT_PREFIX, JETSTREAM, NatsNames, STORES, type StoreName } from './nats-names.ts'
import type { Sender } from './sender.ts'
import type { Target } from './target.ts'

/** What the broker lets a sender do, as NATS writes it: in a user JWT, or in its configuration file. */
export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[] }
  readonly subscribe: { readonly allow: readonly string[] }
}

const COMPUTE = 'compute'
const SCHEDULER: Target = { topic: 'scheduler' }
const CONDUCTOR: Target = { topic: 'conductor' }
const API: Sender = { service: 'api' }

/**
 * Exactly the subjects that a sender needs, and none besides: what each service sends and takes, the JetStream
 * requests behind that, and answers to its own inbox.
 *
 * The conductor answers to the inboxes of agents, in place of NATS's `allow_responses`: that would let it publish
 * wherever a call asks it to, and an agent could have it write an "answer" to a subject of JetStream's own. An agent
 * answers nova-api, on the subjects that nova-api waits for this agent's answers on.
 */
export function permissionsOf(sender: Sender, prefix: string = DEFAULT_PREFIX): NatsPermissions {
  const names = new NatsNames(prefix)
  const own = ownPermissions(names, sender)
  return {
    publish: { allow: [names.health(sender), ...own.publish] },
    subscribe: { allow: [`${names.inboxPrefix(sender)}.>`, ...own.subscribe] },
  }
}

interface OwnPermissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

function ownPermissions(names: NatsNames, sender: Sender): OwnPermissions {
  switch (sender.service) {
    case 'api':
      return {
        publish: [
          names.cast(SCHEDULER, sender),
          names.call(SCHEDULER, sender),
          names.castToAnyHost(COMPUTE, sender),
          names.callToAnyHost(COMPUTE, sender),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [],
      }
    case 'scheduler':
      return {
        publish: [
          names.castToAnyHost(COMPUTE, sender),
          names.deadLetter(SCHEDULER.topic, sender),
          `${names.inboxPrefix({ service: 'api' })}.>`,
          ...consume(names, 'casts', names.castConsumer(SCHEDULER), names.casts(SCHEDULER)),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [names.fanouts(SCHEDULER.topic), names.calls(SCHEDULER)],
      }
    case 'conductor':
      return {
        publish: [
          names.inboxesOfCompute,
          // Whose turn it is with an instance, once an agent's part is done.
          names.cast(SCHEDULER, sender),
          names.castToAnyHost(COMPUTE, sender),
          ...consume(names, 'dead', names.deadLetterConsumer, names.deadLetters),
          // A name is one token of a subject: what keeps it to the agents' queues is the filter.
          ...declare(names, 'casts', '*', names.castsOfAnyHost(COMPUTE)),
          ...STORES.flatMap((store) => makeStream(names, store)),
        ],
        subscribe: [names.calls(CONDUCTOR)],
      }
    // No more than everybody: that a message of its own goes round.
    case 'check':
      return { publish: [], subscribe: [] }
    case 'compute':
      return {
        publish: [
          names.cast(SCHEDULER, sender),
          names.fanout(SCHEDULER.topic, sender),
          names.call(CONDUCTOR, sender),
          names.deadLetter(COMPUTE, sender),
          `${names.answersOf({ topic: COMPUTE, host: sender.host }, API)}.>`,
          // How its queue is set up is not its to say: the conductor declares it.
          ...take(names, 'casts', names.castConsumer({ topic: COMPUTE, host: sender.host })),
        ],
        subscribe: [names.calls({ topic: COMPUTE, host: sender.host })],
      }
  }
}

function makeStream(names: NatsNames, store: StoreName): readonly string[] {
  const stream = names.stream(store)
  return [JETSTREAM.streamInfo(stream), JETSTREAM.streamCreate(stream)]
}

function consume(names: NatsNames, store: StoreName, durable: string, filter: string): readonly string[] {
  return [...declare(names, store, durable, filter), ...take(names, store, durable)]
}

/** The broker compares the filter in the subject with the one that is asked for. */
function declare(names: NatsNames, store: StoreName, durable: string, filter: string): readonly string[] {
  const stream = names.stream(store)
  return [JETSTREAM.consumerCreate(stream, durable, filter), JETSTREAM.consumerInfo(stream, durable)]
}

function take(names: NatsNames, store: StoreName, durable: string): readonly string[] {
  const stream = names.stream(store)
  return [JETSTREAM.consumerNext(stream, durable), ...JETSTREAM.acks(stream, durable)]
}
