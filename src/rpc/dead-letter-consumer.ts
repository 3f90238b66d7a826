import type { Logger } from '../common/log.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { type DeadLetter, decodeDeadLetter } from './dead-letter.ts'
import { describeSender } from './sender.ts'
import { describeTarget } from './target.ts'
import type { CastMessage, Settlement, Subscription, Transport } from './transport.ts'

export interface DeadLetterConsumerOptions {
  readonly maxConcurrent?: number
  /** How long to wait before a letter whose handler failed is delivered again. */
  readonly retryDelayMs?: (attempt: number) => number
}

/** 1, 2, 4, ... up to 60 seconds. */
function defaultRetryDelayMs(attempt: number): number {
  return Math.min(1000 * 2 ** Math.min(attempt - 1, 6), 60_000)
}

/**
 * Takes the dead letters of all topics. A handler that throws gets its letter again, without end: behind a dead
 * letter there is nothing that could remember it.
 */
export class DeadLetterConsumer {
  readonly #transport: Transport
  readonly #log: Logger
  readonly #options: DeadLetterConsumerOptions
  readonly #stopping = new AbortController()
  #subscription: Subscription | undefined

  constructor(
    deps: { readonly transport: Transport; readonly log: Logger },
    options: DeadLetterConsumerOptions = {},
  ) {
    this.#transport = deps.transport
    this.#log = deps.log.named('nova.rpc.deadletter')
    this.#options = options
  }

  /** Resolves when letters are taken; waits for the broker. Rejects when stopped first. */
  async start(handler: (letter: DeadLetter) => Promise<void>): Promise<void> {
    await this.#transport.connect(this.#stopping.signal)
    const { maxConcurrent = 16 } = this.#options
    const options = { maxConcurrent, signal: this.#stopping.signal }
    this.#subscription = await this.#transport.consumeDeadLetters(options, (message) =>
      this.#onLetter(message, handler),
    )
    if (this.#stopping.signal.aborted) await this.#subscription.stop()
  }

  /** Takes no new letter and waits for the handlers that run. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The dead letter consumer was stopped'))
    await this.#subscription?.stop()
  }

  async #onLetter(message: CastMessage, handler: (letter: DeadLetter) => Promise<void>): Promise<Settlement> {
    const letter = decodeDeadLetter(message.body)
    const sender = describeSender(message.sender)
    if (!letter) {
      this.#log.warn('Dropped an unreadable dead letter', { sender, body: message.body.slice(0, 200) })
      return { kind: 'terminate', reason: 'unreadable' }
    }
    // Who serves a queue gives its messages up, and nobody else's.
    const target = describeTarget({
      topic: letter.topic,
      ...(letter.host !== undefined && { host: letter.host }),
    })
    if (target !== sender) {
      this.#log.with(letter.ctx).warn("Dropped a dead letter of another's queue", { sender, target })
      return { kind: 'terminate', reason: 'not of its sender' }
    }
    try {
      await handler(letter)
      return { kind: 'ack' }
    } catch (error) {
      const { retryDelayMs = defaultRetryDelayMs } = this.#options
      const delayMs = retryDelayMs(message.attempt)
      const facts = { method: letter.method, attempt: message.attempt, delayMs, reason: messageOf(error) }
      this.#log.with(letter.ctx).warn('Could not handle a dead letter; will try again', facts)
      return { kind: 'retry', delayMs }
    }
  }
}
