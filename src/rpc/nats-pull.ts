import { type Msg, nanos, type Subscription as NatsSubscription } from '@nats-io/transport-node'
import type { Clock, Timer } from '../common/clock.ts'
import type { NatsSession } from './nats-link.ts'
import { JETSTREAM } from './nats-names.ts'

/** What a pull asks for and whom it tells. */
export interface PullHandlers {
  /** How many messages may come on top of those already asked for and held. */
  freeSlots(): number
  onMessage(msg: Msg): void
  /** The consumer is gone, or silent: make it anew. The pull does no more. */
  onTrouble(reason: string): void
}

export interface PullOptions {
  readonly stream: string
  readonly durable: string
  /** A pull is answered, with messages or without, within this time. */
  readonly expiresMs: number
  readonly heartbeatMs: number
}

/**
 * Asks a JetStream consumer for exactly as many messages as there are free hands.
 *
 * nats.js's own consume() asks for more as soon as messages arrive, not when they are done: what waits behind
 * long work would sit here with its ack_wait running while another worker is idle, and would count a delivery
 * when this process dies. It also goes on silently when consumer or stream are gone.
 */
export class NatsPull {
  readonly #session: NatsSession
  readonly #clock: Clock
  readonly #options: PullOptions
  readonly #handlers: PullHandlers
  readonly #inbox: string
  readonly #subject: string
  readonly #subscription: NatsSubscription
  readonly #watch: Timer
  /** Messages asked for that have neither come nor been declined. */
  #asked = 0
  #lastHeard: number
  #ended = false

  constructor(
    deps: { readonly session: NatsSession; readonly clock: Clock },
    options: PullOptions,
    handlers: PullHandlers,
  ) {
    this.#session = deps.session
    this.#clock = deps.clock
    this.#options = options
    this.#handlers = handlers
    this.#inbox = deps.session.newInbox()
    this.#subject = JETSTREAM.consumerNext(options.stream, options.durable)
    this.#lastHeard = deps.clock.now()
    this.#subscription = deps.session.nc.subscribe(this.#inbox, {
      callback: (error, msg) => {
        if (error) this.#trouble(error.message)
        else this.#take(msg)
      },
    })
    this.#watch = deps.clock.every(options.heartbeatMs, () => this.#checkSilence())
  }

  /**
   * Asks for messages, if enough hands are free. While some are still to come, only a larger number is worth a
   * request of its own: those asked for keep the work going.
   */
  ask(): void {
    if (this.#ended || this.#session.nc.isClosed()) return
    const free = this.#handlers.freeSlots() - this.#asked
    if (free <= 0 || (this.#asked > 0 && free < this.#asked)) return
    const request = {
      batch: free,
      expires: nanos(this.#options.expiresMs),
      idle_heartbeat: nanos(this.#options.heartbeatMs),
    }
    if (this.#asked === 0) this.#lastHeard = this.#clock.now()
    this.#asked += free
    this.#session.nc.publish(this.#subject, JSON.stringify(request), { reply: this.#inbox })
  }

  /** Asks no more. Resolves when nothing can come any more; what comes until then is still handed over. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#watch.cancel()
    if (this.#session.nc.isClosed() || this.#subscription.isClosed()) return
    await this.#subscription.drain().catch(() => undefined)
  }

  #take(msg: Msg): void {
    this.#lastHeard = this.#clock.now()
    if (msg.subject !== this.#inbox || !msg.headers?.code) {
      this.#asked = Math.max(0, this.#asked - 1)
      this.#handlers.onMessage(msg)
      this.ask()
      return
    }
    const { code, description } = msg.headers
    if (code === 100) return
    if (isTrouble(code, description)) {
      this.#trouble(`${code} ${description}`)
      return
    }
    // The request ended unfilled; it says how much of it is not coming.
    const declined = Number(msg.headers.get('Nats-Pending-Messages') || '0')
    this.#asked = declined > 0 ? Math.max(0, this.#asked - declined) : 0
    this.ask()
  }

  #checkSilence(): void {
    if (this.#asked === 0) return
    const silentMs = this.#clock.now() - this.#lastHeard
    if (silentMs > 2.5 * this.#options.heartbeatMs) this.#trouble(`silent for ${silentMs} ms`)
  }

  #trouble(reason: string): void {
    if (this.#ended) return
    void this.end()
    this.#handlers.onTrouble(reason)
  }
}

/**
 * Ends of a request after which asking again would not help: the consumer or its stream is gone (409, 503), or
 * does not like the request (400), or it moves to another server of the cluster (409).
 */
function isTrouble(code: number, description: string): boolean {
  if (code === 404 || code === 408) return false
  return !(code === 409 && /batch completed|message size/i.test(description))
}
