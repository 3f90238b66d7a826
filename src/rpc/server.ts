import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { type IdGenerator, RandomIds } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import { buryCast, encodeDeadLetter } from './dead-letter.ts'
import { Dispatcher, type OpenedMessage, type RpcHandler } from './dispatcher.ts'
import { encodeResult } from './envelope.ts'
import { toRecord } from './error-wire.ts'
import { DeliveriesExhausted, ServerBusy } from './errors.ts'
import { FAILURE } from './headers.ts'
import type { Outcome, RpcMeter } from './meter.ts'
import type { RpcMethod } from './method.ts'
import { describeSender } from './sender.ts'
import { assertTarget, describeTarget, type Target } from './target.ts'
import type {
  CastMessage,
  ConsumeOptions,
  Message,
  ReceivedMessage,
  Settlement,
  Subscription,
  Transport,
} from './transport.ts'

export type { Delivery, RpcHandler } from './dispatcher.ts'

export interface RpcServerOptions {
  /** What is served: a topic shared with its other servers, or one host of a topic. */
  readonly target: Target
  /** The newest version served: `1.2`. */
  readonly version: string
  /** Which kinds of messages to take; all by default. Fanouts are those of the topic, whatever the host. */
  readonly casts?: boolean
  readonly calls?: boolean
  readonly fanouts?: boolean
  /** Has the queue of the casts declared where this sender may not do it. */
  readonly declareQueue?: ConsumeOptions['declareQueue']
  /** How many casts may be worked on at the same time; the rest wait in the queue. */
  readonly maxConcurrent?: number
  /** How many calls may be; the rest are refused, to be asked again. Fanouts are not held back. */
  readonly maxCalls?: number
  /** After how many deliveries a cast becomes a dead letter. */
  readonly maxDeliveries?: number
  /** How long to wait before a cast is delivered again after its `attempt`-th failure. */
  readonly retryDelayMs?: (attempt: number) => number
  /** How long `stop` waits for the handlers that run. */
  readonly drainTimeoutMs?: number
}

/** Far more than are ever in hand unless what they wait for is slow; some ten megabytes. */
const MAX_CALLS = 2_000

const ACK: Settlement = { kind: 'ack' }

/** 1, 2, 4, ... up to 30 seconds. */
function defaultRetryDelayMs(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), 30_000)
}

/** The receiving end of an RPC API: takes the target's messages and gives each to its method's handler. */
export class RpcServer {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #ids: IdGenerator = new RandomIds()
  readonly #log: Logger
  readonly #meter: RpcMeter | undefined
  readonly #options: RpcServerOptions
  readonly #target: Target
  readonly #dispatcher: Dispatcher
  readonly #maxCalls: number
  readonly #maxDeliveries: number
  readonly #retryDelayMs: (attempt: number) => number
  readonly #stopping = new AbortController()
  readonly #subscriptions: Subscription[] = []
  #calls = 0
  #refuses = false

  constructor(
    deps: {
      readonly transport: Transport
      readonly clock: Clock
      readonly log: Logger
      readonly meter?: RpcMeter | undefined
    },
    options: RpcServerOptions,
  ) {
    assertTarget(options.target)
    this.#transport = deps.transport
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.rpc.server')
    this.#meter = deps.meter
    this.#options = options
    this.#target = options.target
    this.#dispatcher = new Dispatcher({ topic: options.target.topic, version: options.version })
    this.#maxCalls = options.maxCalls ?? MAX_CALLS
    this.#maxDeliveries = options.maxDeliveries ?? 5
    this.#retryDelayMs = options.retryDelayMs ?? defaultRetryDelayMs
  }

  /**
   * Names the handler of a method. A cast's handler must bear to be called twice for the same message. What it
   * throws decides what follows: a call's caller gets the error; a cast is delivered again, or, when the error
   * is `terminal` or the deliveries are used up, becomes a dead letter.
   */
  handle<A, R>(method: RpcMethod<A, R>, handler: RpcHandler<A, R>): this {
    this.#dispatcher.register(method, handler)
    return this
  }

  /** Resolves when messages are taken; waits for a broker that is not there yet. Rejects when stopped first. */
  async start(): Promise<void> {
    const { casts = true, calls = true, fanouts = true, maxConcurrent = 64, declareQueue } = this.#options
    const transport = this.#transport
    await transport.connect(this.#stopping.signal)
    if (calls) await this.#add(transport.serveCalls(this.#target, (message) => this.#onCall(message)))
    if (fanouts) {
      await this.#add(transport.subscribeFanout(this.#target.topic, (message) => this.#onFanout(message)))
    }
    if (casts) {
      const options = { maxConcurrent, declareQueue, signal: this.#stopping.signal }
      await this.#add(transport.consumeCasts(this.#target, options, (message) => this.#onCast(message)))
    }
    this.#log.debug('Serving', { target: describeTarget(this.#target), version: this.#options.version })
  }

  /**
   * Takes no new message and waits for the handlers that run, at most `drainTimeoutMs`. What they do not finish
   * is delivered again to whoever comes next.
   */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The RPC server was stopped'))
    const late = new AbortController()
    const drained = Promise.all(this.#subscriptions.map((subscription) => subscription.stop(late.signal)))
    const drainTimeoutMs = this.#options.drainTimeoutMs ?? 30_000
    const { promise: isLate, resolve } = Promise.withResolvers<'late'>()
    const timer = this.#clock.after(drainTimeoutMs, () => resolve('late'))
    const outcome = await Promise.race([drained, isLate])
    timer.cancel()
    if (outcome === 'late') {
      this.#log.warn('Stopped with work unfinished', { target: describeTarget(this.#target), drainTimeoutMs })
      late.abort()
    }
  }

  async #add(subscribing: Promise<Subscription>): Promise<void> {
    const subscription = await subscribing
    this.#subscriptions.push(subscription)
    // Stopped while we subscribed: stop() could not know of this one.
    if (this.#stopping.signal.aborted) await subscription.stop()
    this.#stopping.signal.throwIfAborted()
  }

  /** A caller that is not answered in time asks again: what it asked first must not pile up here meanwhile. */
  async #onCall(message: ReceivedMessage): Promise<Message> {
    if (this.#calls >= this.#maxCalls) {
      this.#meter?.handled({ kind: 'call', method: '', outcome: 'refused', seconds: 0 })
      const busy = new ServerBusy({ ...this.#target, calls: this.#calls })
      if (!this.#refuses) this.#log.warn('Refuses calls until it has fewer in hand', busy.details)
      this.#refuses = true
      return failure(busy)
    }
    this.#calls += 1
    try {
      return await this.#answer(message)
    } finally {
      this.#calls -= 1
      if (this.#calls <= this.#maxCalls / 2) this.#refuses = false
    }
  }

  async #answer(message: ReceivedMessage): Promise<Message> {
    try {
      const opened = this.#open(message, 'call', 1)
      try {
        return { headers: {}, body: encodeResult(await this.#run(opened)) }
      } catch (error) {
        this.#logFailure(opened, error)
        return failure(error)
      }
    } catch (error) {
      return failure(error)
    }
  }

  async #onFanout(message: ReceivedMessage): Promise<void> {
    let opened: OpenedMessage
    try {
      opened = this.#open(message, 'fanout', 1)
    } catch {
      return // #open has logged it, and nobody waits for an answer.
    }
    try {
      await this.#run(opened)
    } catch (error) {
      this.#logFailure(opened, error)
    }
  }

  async #onCast(message: CastMessage): Promise<Settlement> {
    const { attempt } = message
    let opened: OpenedMessage
    try {
      opened = this.#open(message, 'cast', attempt)
    } catch (error) {
      return this.#giveUp(message, error)
    }
    // Here when every worker so far died over it: none was left to count its failure.
    if (attempt > this.#maxDeliveries) {
      return this.#giveUp(message, new DeliveriesExhausted({ attempts: attempt - 1 }))
    }
    try {
      await this.#run(opened)
      return ACK
    } catch (error) {
      this.#logFailure(opened, error)
      const terminal = error instanceof NovaError && error.outcome === 'terminal'
      if (terminal || attempt >= this.#maxDeliveries) return this.#giveUp(message, error)
      // Handed back by one who leaves: whoever comes next need not wait.
      const isLeaving = this.#stopping.signal.aborted
      return { kind: 'retry', delayMs: isLeaving ? 0 : this.#retryDelayMs(attempt) }
    }
  }

  async #run(opened: OpenedMessage): Promise<unknown> {
    const { method, delivery } = opened
    const startedMs = this.#clock.now()
    const ended = (outcome: Outcome): void => {
      const seconds = (this.#clock.now() - startedMs) / 1000
      this.#meter?.handled({ kind: delivery.kind, method, outcome, seconds })
    }
    try {
      const result = await opened.run()
      ended('done')
      return result
    } catch (error) {
      ended(error instanceof NovaError ? 'refused' : 'failed')
      throw error
    }
  }

  /** @throws what the dispatcher throws, logged. */
  #open(message: ReceivedMessage, kind: 'cast' | 'call' | 'fanout', attempt: number): OpenedMessage {
    try {
      const opened = this.#dispatcher.open(message, kind, attempt)
      const { method, delivery } = opened
      this.#log
        .with(opened.ctx)
        .debug('Received message', { method, ...delivery, sender: describeSender(delivery.sender) })
      return opened
    } catch (error) {
      this.#meter?.handled({ kind, method: '', outcome: 'unfit', seconds: 0 })
      this.#log.warn('Refused a message', {
        kind,
        target: describeTarget(this.#target),
        sender: describeSender(message.sender),
        error: toRecord(error).name,
        reason: messageOf(error),
      })
      throw error
    }
  }

  async #giveUp(message: CastMessage, error: unknown): Promise<Settlement> {
    const letter = buryCast(this.#target, message, error)
    const log = this.#log.with(letter.ctx)
    try {
      const body = encodeDeadLetter(letter)
      await this.#transport.publishDeadLetter(letter.topic, { headers: {}, body }, this.#ids.uuid())
    } catch (cause) {
      // Never terminate what has no dead letter: it comes again, and is given up again.
      log.warn('Could not write a dead letter; will try again', {
        method: letter.method,
        reason: messageOf(cause),
      })
      return { kind: 'retry', delayMs: this.#retryDelayMs(Math.min(message.attempt, this.#maxDeliveries)) }
    }
    this.#meter?.gaveUp(letter.method)
    log.warn('Gave a message up', {
      method: letter.method,
      attempts: letter.attempts,
      error: letter.error.name,
      reason: letter.error.message,
    })
    return { kind: 'terminate', reason: letter.error.name }
  }

  /** An error of ours is the API's way to say no; any other is a bug, whose stack is here and nowhere else. */
  #logFailure(opened: OpenedMessage, error: unknown): void {
    const { method, delivery } = opened
    const facts = { method, kind: delivery.kind, attempt: delivery.attempt, reason: messageOf(error) }
    const log = this.#log.with(opened.ctx)
    if (error instanceof NovaError) log.debug('Handler refused', { ...facts, error: error.name })
    else log.error('Handler failed', { ...facts, ...(error instanceof Error && { stack: error.stack }) })
  }
}

function failure(error: unknown): Message {
  return { headers: { [FAILURE]: '1' }, body: JSON.stringify(toRecord(error)) }
}
