import type { Sender } from './sender.ts'
import type { Target } from './target.ts'

/** Header names are case-sensitive; values are printable ASCII. */
export type MessageHeaders = Readonly<Record<string, string>>

/** What goes over the wire. The transport looks into neither headers nor body. */
export interface Message {
  readonly headers: MessageHeaders
  /** UTF-8 text. */
  readonly body: string
}

/** A message as it arrives. */
export interface ReceivedMessage extends Message {
  /** Told by the broker, and not by the message. */
  readonly sender: Sender
}

/** A cast as a worker gets it. */
export interface CastMessage extends ReceivedMessage {
  /** How often this message was handed to a worker, this time included: 1, 2, ... */
  readonly attempt: number
}

/** What becomes of a cast once its worker is through with it. */
export type Settlement =
  /** The work is done: the broker forgets the message. */
  | { readonly kind: 'ack' }
  /** Deliver it again, not before `delayMs`. */
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Never deliver it again. */
  | { readonly kind: 'terminate'; readonly reason: string }

/** What came of a request. Failures of the other end's making are a `message` too. */
export type RequestOutcome =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'no-responders' }
  | { readonly kind: 'timeout' }

/** Something that takes messages until it is stopped. */
export interface Subscription {
  /**
   * Takes no new message, hands back what had not begun, and resolves when every handler that had begun has
   * settled. Not bounded: whoever stops it decides how long to wait. When `late` aborts, what is still in handlers
   * is handed back too, at once and not after the broker's wait for an ack.
   */
  stop(late?: AbortSignal): Promise<void>
}

export type TransportStatus = 'connected' | 'disconnected'

/** Where a target's casts wait for their worker. */
export interface DeclaredQueue {
  /** When its store was made: another time is another store, which counts its messages anew. */
  readonly since: string
  /** After this silence of its worker a message is given to another. */
  readonly ackWaitMs: number
}

export interface ConsumeOptions {
  /** How many messages may be in handlers at the same time. */
  readonly maxConcurrent: number
  /** Ends the waiting for a broker or a queue that is not there yet. */
  readonly signal?: AbortSignal | undefined
  /**
   * Has the queue declared by somebody who may: called until it succeeds, and again whenever the queue is gone.
   * Without it the transport declares the queue itself.
   */
  readonly declareQueue?: (() => Promise<DeclaredQueue>) | undefined
}

/** A worker of casts. It must not reject; one that does gets its message again after a second. */
export type CastHandler = (message: CastMessage) => Promise<Settlement>

/**
 * One sender's way to a message broker: all that goes out is from that sender, and what comes in says whom it is
 * from. It stays usable through losses of the broker: it comes back by itself, and what
 * was subscribed is subscribed again.
 *
 * Every method that sends throws MessageDeliveryFailure when the broker did not take the message in time, and
 * MessageRefused when it does not let this sender send it.
 */
export interface Transport {
  readonly sender: Sender
  readonly status: TransportStatus
  /** Calls `listener` on every change of status. Returns what undoes it. */
  onStatus(listener: (status: TransportStatus) => void): () => void
  /** Resolves once the broker is there, however long that takes; rejects when `signal` aborts or on close. */
  connect(signal?: AbortSignal): Promise<void>
  /** Leaves at once. What workers have not settled goes to others after the broker's wait for an ack. */
  close(): Promise<void>

  /** Resolves when the broker has stored the message. `id` is fresh for every send. */
  publishCast(target: Target, message: Message, id: string): Promise<void>
  /**
   * Makes the queue of the target's casts, or brings an older one to the present settings.
   *
   * @throws QueueUndeclared when the broker does not do it now.
   */
  declareQueue(target: Target): Promise<DeclaredQueue>
  /** Takes the target's casts, also those sent before anybody took them. */
  consumeCasts(target: Target, options: ConsumeOptions, handler: CastHandler): Promise<Subscription>

  request(target: Target, message: Message, timeoutMs: number): Promise<RequestOutcome>
  /** Answers requests; each goes to one of the target's servers. The handler must not reject. */
  serveCalls(target: Target, handler: (message: ReceivedMessage) => Promise<Message>): Promise<Subscription>

  /** Goes to every server of the topic that is there; nothing waits for one that is not. */
  publishFanout(topic: string, message: Message): Promise<void>
  subscribeFanout(topic: string, handler: (message: ReceivedMessage) => Promise<void>): Promise<Subscription>

  /** Stores a message that was given up, until a consumer of dead letters takes it. */
  publishDeadLetter(topic: string, message: Message, id: string): Promise<void>
  /** Takes the dead letters of all topics. */
  consumeDeadLetters(options: ConsumeOptions, handler: CastHandler): Promise<Subscription>

  /**
   * Makes a message go round through the broker and its store. Milliseconds it took; rejects when it did not
   * come back in time. A broker that is connected but sick is seen by this alone.
   */
  roundTrip(): Promise<number>
}
