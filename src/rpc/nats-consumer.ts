import type { Msg } from '@nats-io/transport-node'
import type { Clock, Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { LogFacts, Logger } from '../common/log.ts'
import { ConnectionStatus } from './connection-status.ts'
import { type Held, HeldMessages } from './nats-held.ts'
import type { NatsLink, NatsSession } from './nats-link.ts'
import { deliveryOf, fromNats } from './nats-message.ts'
import type { NatsNames, StoreName } from './nats-names.ts'
import { NatsPull } from './nats-pull.ts'
import { Running } from './running.ts'
import type { CastHandler, CastMessage, DeclaredQueue, Settlement, Subscription } from './transport.ts'

export interface NatsConsumerOptions {
  readonly store: StoreName
  readonly durable: string
  /** Whose messages it takes: a subject, perhaps with wildcards. */
  readonly filter: string
  /** Whether somebody else is asked to declare the queue: who is not there yet will be. */
  readonly declaredByOthers: boolean
  readonly maxConcurrent: number
  readonly pullExpiresMs: number
  readonly heartbeatMs: number
}

const MESSAGE_ID = 'Nats-Msg-Id'
const BROKEN_HANDLER_RETRY_MS = 1000
const FIRST_RENEWAL_DELAY_MS = 100
const LAST_RENEWAL_DELAY_MS = 5000

/**
 * A durable consumer of a work queue, worked on by up to `maxConcurrent` handlers. It outlives connections,
 * and has its queue, which is the stream and the consumer, declared anew when it is gone.
 */
export class NatsConsumer implements Subscription {
  readonly #link: NatsLink
  readonly #names: NatsNames
  readonly #declareQueue: (session: NatsSession) => Promise<DeclaredQueue>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: NatsConsumerOptions
  readonly #handler: CastHandler
  readonly #stopping = new AbortController()
  /** Connected while the queue is known to be there. */
  readonly #ready = new ConnectionStatus()
  readonly #held = new HeldMessages()
  readonly #running = new Running()
  #detach: () => void = () => undefined
  #keepAlive: Timer | undefined
  #session: NatsSession | undefined
  #pull: NatsPull | undefined
  #queue: DeclaredQueue | undefined
  #turn = 0
  #troubles = 0

  constructor(
    deps: {
      readonly link: NatsLink
      readonly names: NatsNames
      readonly declareQueue: (session: NatsSession) => Promise<DeclaredQueue>
      readonly clock: Clock
      readonly log: Logger
    },
    options: NatsConsumerOptions,
    handler: CastHandler,
  ) {
    this.#link = deps.link
    this.#names = deps.names
    this.#declareQueue = deps.declareQueue
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = options
    this.#handler = handler
  }

  /** Resolves when messages are asked for; rejects when the link was closed, or `signal` aborted, first. */
  async start(signal?: AbortSignal): Promise<void> {
    const { closed } = this.#link
    closed.addEventListener('abort', () => this.#abandon(), { once: true })
    this.#detach = this.#link.attach((session) => void this.#renew(session))
    try {
      await this.#ready.whenConnected(signal ? AbortSignal.any([signal, closed]) : closed)
    } catch (error) {
      this.#abandon()
      throw error
    }
  }

  async stop(late?: AbortSignal): Promise<void> {
    this.#stopping.abort()
    const handBack = (): void => this.#handBack()
    late?.addEventListener('abort', handBack, { once: true })
    await this.#pull?.end()
    await this.#running.settled()
    late?.removeEventListener('abort', handBack)
    this.#abandon()
  }

  /** What is still in handlers goes to others now; what the handlers say of it later counts no more. */
  #handBack(): void {
    for (const held of this.#held) {
      held.settlement ??= { kind: 'retry', delayMs: 0 }
      this.#tell(held)
    }
  }

  /** Lets go of everything; what is held is delivered to others once its ack_wait is over. */
  #abandon(): void {
    this.#detach()
    this.#keepAlive?.cancel()
    this.#held.clear()
    this.#turn += 1
  }

  /** Makes sure of the queue, and asks for messages: on every new connection and after any trouble. */
  async #renew(session: NatsSession): Promise<void> {
    this.#turn += 1
    const turn = this.#turn
    this.#ready.set('disconnected')
    void this.#pull?.end()
    let delayMs = FIRST_RENEWAL_DELAY_MS
    // A newer connection, or the end, takes over by taking the next turn.
    while (turn === this.#turn && !session.nc.isClosed()) {
      try {
        const queue = await this.#declareQueue(session)
        if (turn === this.#turn) this.#begin(session, queue)
        return
      } catch (error) {
        const first = delayMs === FIRST_RENEWAL_DELAY_MS && !session.nc.isClosed()
        if (first) this.#sayNotYet(error)
        await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, LAST_RENEWAL_DELAY_MS)
      }
    }
  }

  #begin(session: NatsSession, queue: DeclaredQueue): void {
    if (queue.since !== this.#queue?.since) this.#held.clear()
    if (queue.ackWaitMs !== this.#queue?.ackWaitMs) this.#keepHeldWithin(queue.ackWaitMs)
    this.#queue = queue
    this.#session = session
    this.#ready.set('connected')
    // First what was done meanwhile, so that the broker does not deliver it again.
    for (const held of this.#held) this.#tell(held)
    if (this.#stopping.signal.aborted) return
    const { store, durable, pullExpiresMs: expiresMs, heartbeatMs, maxConcurrent } = this.#options
    const began = this.#clock.now()
    this.#pull = new NatsPull(
      { session, clock: this.#clock },
      { stream: this.#names.stream(store), durable, expiresMs, heartbeatMs },
      {
        freeSlots: () => maxConcurrent - this.#held.size,
        onMessage: (msg) => this.#take(msg, queue.since),
        onTrouble: (reason) => void this.#mend(session, reason, this.#clock.now() - began),
      },
    )
    this.#pull.ask()
  }

  /** Trouble that comes back at once is not mended by hurry, and is said once. */
  async #mend(session: NatsSession, reason: string, lastedMs: number): Promise<void> {
    const turn = this.#turn
    this.#ready.set('disconnected')
    this.#troubles = lastedMs > LAST_RENEWAL_DELAY_MS * 2 ? 0 : this.#troubles
    if (this.#troubles === 0) this.#log.warn('The queue is gone; declaring it anew', this.#facts(reason))
    const delayMs = Math.min(FIRST_RENEWAL_DELAY_MS * 2 ** this.#troubles, LAST_RENEWAL_DELAY_MS)
    this.#troubles += 1
    await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
    if (turn === this.#turn) await this.#renew(session)
  }

  #take(msg: Msg, since: string): void {
    const replyTo = msg.reply ?? ''
    const delivery = deliveryOf(replyTo)
    if (!delivery || since !== this.#queue?.since) return
    if (this.#stopping.signal.aborted) {
      this.#send(replyTo, '-NAK')
      return
    }
    const sender = this.#names.senderOf(msg.subject, this.#options.filter)
    if (!sender) {
      this.#log.warn('Dropped a message of an unknown sender', { subject: msg.subject })
      this.#send(replyTo, '+TERM unknown sender')
      return
    }
    const held = this.#held.take(msg.headers?.get(MESSAGE_ID) || `#${delivery.sequence}`, replyTo)
    if (held === 'done') this.#send(replyTo, '+ACK')
    if (held === 'done' || held === 'held') return
    this.#running.add(this.#work(held, { ...fromNats(msg), sender, attempt: delivery.attempt }))
  }

  async #work(held: Held, message: CastMessage): Promise<void> {
    try {
      held.settlement = await this.#handler(message)
    } catch {
      held.settlement = { kind: 'retry', delayMs: BROKEN_HANDLER_RETRY_MS }
    }
    this.#tell(held)
    this.#pull?.ask()
    await held.released
  }

  /**
   * Tells the broker what became of a message; if it is away, `#begin` does when it is back. Not if the stream
   * was lost meanwhile: its successor counts from one again, and the ack would be that of another message.
   */
  #tell(held: Held): void {
    if (!held.settlement || !this.#held.has(held) || this.#ready.current !== 'connected') return
    if (this.#send(held.replyTo, ackOf(held.settlement))) this.#held.release(held)
  }

  /** Work that takes long is still work: without this the broker would give it to somebody else. */
  #keepHeldWithin(ackWaitMs: number): void {
    this.#keepAlive?.cancel()
    this.#keepAlive = this.#clock.every(ackWaitMs / 3, () => {
      for (const held of this.#held) this.#send(held.replyTo, '+WPI')
    })
  }

  /** False when the connection is gone: then `ready` comes again with the next one. */
  #send(subject: string, payload: string): boolean {
    try {
      this.#session?.nc.publish(subject, payload)
      return true
    } catch {
      // nats.js throws for one reason alone here: the connection is closed.
      this.#ready.set('disconnected')
      return false
    }
  }

  #sayNotYet(error: unknown): void {
    const facts = this.#facts(messageOf(error))
    if (this.#options.declaredByOthers) this.#log.info('Waiting for the queue to be declared', facts)
    else this.#log.warn('Could not declare the queue; will try again', facts)
  }

  #facts(reason: string): LogFacts {
    return { consumer: this.#options.durable, reason }
  }
}

function ackOf(settlement: Settlement): string {
  switch (settlement.kind) {
    case 'ack':
      return '+ACK'
    case 'retry':
      if (settlement.delayMs === 0) return '-NAK'
      return `-NAK {"delay":${Math.round(settlement.delayMs * 1e6)}}`
    case 'terminate':
      return `+TERM ${settlement.reason}`
  }
}
