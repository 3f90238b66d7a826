import type { Msg } from '@nats-io/transport-node'
import type { Clock, Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { ConnectionStatus } from './connection-status.ts'
import type { NatsLink, NatsSession } from './nats-link.ts'
import { deliveryOf, fromNats } from './nats-message.ts'
import type { ConsumerSettings, NatsNames, StoreName } from './nats-names.ts'
import { NatsPull } from './nats-pull.ts'
import { Running } from './running.ts'
import type { CastHandler, Settlement, Subscription } from './transport.ts'

export interface NatsConsumerOptions extends ConsumerSettings {
  readonly store: StoreName
  readonly maxConcurrent: number
  readonly pullExpiresMs: number
  readonly heartbeatMs: number
}

/** A message in a handler. */
interface Held {
  /** Of which making of the stream: in another one the same sequence number is another message. */
  readonly created: string
  /** Where its ack goes. */
  replyTo: string
}

const BROKEN_HANDLER_RETRY_MS = 1000
const FIRST_RENEWAL_DELAY_MS = 100
const LAST_RENEWAL_DELAY_MS = 2000

/**
 * A durable consumer of a work queue, worked on by up to `maxConcurrent` handlers. It outlives connections,
 * and makes stream and consumer anew when they are gone.
 */
export class NatsConsumer implements Subscription {
  readonly #link: NatsLink
  readonly #names: NatsNames
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: NatsConsumerOptions
  readonly #handler: CastHandler
  readonly #stopping = new AbortController()
  readonly #ready = new ConnectionStatus()
  readonly #held = new Map<number, Held>()
  readonly #running = new Running()
  #detach: () => void = () => undefined
  #keepAlive: Timer | undefined
  #session: NatsSession | undefined
  #pull: NatsPull | undefined
  #created = ''
  #turn = 0

  constructor(
    deps: { readonly link: NatsLink; readonly names: NatsNames; readonly clock: Clock; readonly log: Logger },
    options: NatsConsumerOptions,
    handler: CastHandler,
  ) {
    this.#link = deps.link
    this.#names = deps.names
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = options
    this.#handler = handler
  }

  /** Resolves when messages are asked for; rejects when the link was closed first. */
  async start(): Promise<void> {
    this.#detach = this.#link.attach((session) => void this.#renew(session))
    this.#keepAlive = this.#clock.every(this.#options.ackWaitMs / 3, () => this.#keepHeld())
    this.#link.closed.addEventListener('abort', () => this.#abandon(), { once: true })
    await this.#ready.whenConnected(this.#link.closed)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#turn += 1
    await this.#pull?.end()
    await this.#running.settled()
    this.#abandon()
  }

  /** Lets go of everything; what is held is delivered to others once its ack_wait is over. */
  #abandon(): void {
    this.#detach()
    this.#keepAlive?.cancel()
    this.#held.clear()
    this.#turn += 1
  }

  /** Makes sure of stream and consumer, and asks for messages: on every new connection and after any trouble. */
  async #renew(session: NatsSession): Promise<void> {
    this.#turn += 1
    const turn = this.#turn
    this.#ready.set('disconnected')
    void this.#pull?.end()
    let delayMs = FIRST_RENEWAL_DELAY_MS
    while (turn === this.#turn && !session.nc.isClosed()) {
      try {
        const { store } = this.#options
        const created = await this.#names.ensureStream(session, store)
        await this.#names.ensureConsumer(session, store, this.#options)
        if (turn === this.#turn) this.#begin(session, created)
        return
      } catch (error) {
        if (delayMs === FIRST_RENEWAL_DELAY_MS)
          this.#say('Cannot consume yet; will try again', messageOf(error))
        await this.#clock.sleep(delayMs, this.#link.closed).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, LAST_RENEWAL_DELAY_MS)
      }
    }
  }

  #begin(session: NatsSession, created: string): void {
    const { store, durable, pullExpiresMs: expiresMs, heartbeatMs, maxConcurrent } = this.#options
    if (created !== this.#created) this.#held.clear()
    this.#created = created
    this.#session = session
    this.#pull = new NatsPull(
      { session, clock: this.#clock },
      { stream: this.#names.stream(store), durable, expiresMs, heartbeatMs },
      {
        freeSlots: () => maxConcurrent - this.#held.size,
        onMessage: (msg) => this.#take(msg, created),
        onTrouble: (reason) => {
          this.#say('The consumer is gone; making it anew', reason)
          void this.#renew(session)
        },
      },
    )
    this.#ready.set('connected')
    this.#pull.ask()
  }

  #take(msg: Msg, created: string): void {
    const replyTo = msg.reply ?? ''
    const delivery = deliveryOf(replyTo)
    if (!delivery || created !== this.#created) return
    if (this.#stopping.signal.aborted) {
      this.#send(replyTo, '-NAK')
      return
    }
    const held = this.#held.get(delivery.sequence)
    if (held) {
      // Delivered again while its handler still runs, after an outage longer than ack_wait: one run is enough.
      held.replyTo = replyTo
      return
    }
    const mine: Held = { created, replyTo }
    this.#held.set(delivery.sequence, mine)
    const work = this.#handler({ ...fromNats(msg), attempt: delivery.attempt })
      .catch((): Settlement => ({ kind: 'retry', delayMs: BROKEN_HANDLER_RETRY_MS }))
      .then((settlement) => this.#settle(delivery.sequence, mine, settlement))
    this.#running.add(work)
  }

  /**
   * Tells the broker, once it is there. Not if the stream was lost meanwhile: its successor counts from one again,
   * and the ack would be that of another message.
   */
  async #settle(sequence: number, held: Held, settlement: Settlement): Promise<void> {
    const isMine = (): boolean => this.#held.get(sequence) === held
    while (isMine() && !this.#link.closed.aborted) {
      await this.#ready.whenConnected(this.#link.closed).catch(() => undefined)
      if (isMine() && this.#send(held.replyTo, ackOf(settlement))) {
        this.#held.delete(sequence)
        this.#pull?.ask()
      }
    }
  }

  /** Work that takes long is still work: without this the broker would give it to somebody else. */
  #keepHeld(): void {
    for (const held of this.#held.values()) this.#send(held.replyTo, '+WPI')
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

  #say(message: string, reason: string): void {
    this.#log.warn(message, { consumer: this.#options.durable, reason })
  }
}

function ackOf(settlement: Settlement): string {
  switch (settlement.kind) {
    case 'ack':
      return '+ACK'
    case 'retry':
      return `-NAK {"delay":${Math.round(settlement.delayMs * 1e6)}}`
    case 'terminate':
      return `+TERM ${settlement.reason}`
  }
}
