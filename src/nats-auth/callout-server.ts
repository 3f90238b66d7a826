import { type Msg, type Subscription, TimeoutError } from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import type { NatsLink } from '../rpc/nats-link.ts'
import { Running } from '../rpc/running.ts'
import type { AuthCallout } from './auth-callout.ts'

const SUBJECT = '$SYS.REQ.USER.AUTH'
/** Each request goes to one of those that are there. */
const QUEUE = 'nats-auth'
const XKEY_HEADER = 'Nats-Server-Xkey'
const ROUND_TRIP_TIMEOUT_MS = 5000

/** Takes the brokers' requests and sends the answers. */
export class CalloutServer {
  readonly #link: NatsLink
  readonly #callout: Pick<AuthCallout, 'answer'>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #running = new Running()
  #subscription: Subscription | undefined
  #detach: (() => void) | undefined

  constructor(deps: {
    readonly link: NatsLink
    readonly callout: Pick<AuthCallout, 'answer'>
    readonly clock: Clock
    readonly log: Logger
  }) {
    this.#link = deps.link
    this.#callout = deps.callout
    this.#clock = deps.clock
    this.#log = deps.log
  }

  get isConnected(): boolean {
    return this.#link.status.current === 'connected'
  }

  /** Resolves when a broker is there; from then on it is asked, over every connection that follows. */
  async start(signal: AbortSignal): Promise<void> {
    this.#detach = this.#link.attach(({ nc }) => {
      this.#subscription = nc.subscribe(SUBJECT, {
        queue: QUEUE,
        callback: (error, msg) => {
          if (error) this.#log.error('The broker lets nobody answer for it', { reason: error.message })
          else this.#running.add(this.#answer(msg))
        },
      })
    })
    this.#link.start()
    await this.#link.status.whenConnected(signal)
  }

  /** Takes no more requests, and answers those it has. */
  async stop(): Promise<void> {
    this.#detach?.()
    await this.#subscription?.drain().catch(() => undefined)
    await this.#running.settled()
    await this.#link.close()
  }

  /** A ping and its answer. Core NATS stores nothing, so there is nothing more that could be sick. */
  async roundTrip(): Promise<number> {
    const session = await this.#link.sessionWithin(ROUND_TRIP_TIMEOUT_MS)
    if (!session) throw new TimeoutError()
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = this.#clock.after(ROUND_TRIP_TIMEOUT_MS, () => reject(new TimeoutError()))
    try {
      return await Promise.race([session.nc.rtt(), late])
    } finally {
      timer.cancel()
    }
  }

  async #answer(msg: Msg): Promise<void> {
    try {
      const answer = await this.#callout.answer(msg.data, msg.headers?.get(XKEY_HEADER) ?? '')
      if (answer) msg.respond(answer)
    } catch (error) {
      // The connection went meanwhile. The client's wait ends, and it comes again.
      this.#log.debug('Could not send an answer', { reason: messageOf(error) })
    }
  }
}
