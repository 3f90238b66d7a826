import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import { jetstream } from '@nats-io/jetstream'
import {
  connect,
  createInbox,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node'
import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { ConnectionStatus } from './connection-status.ts'
import { type CredentialFiles, readCredentials } from './nats-credentials.ts'
import { type ConnectTrouble, connectTroubleOf } from './nats-trouble.ts'
import { LONGEST_CHEAP_PAUSE_MS, Redial } from './redial.ts'

/** How to reach the broker; the rest of nats.js's options are the link's own business. */
export interface NatsServerOptions
  extends Pick<NodeConnectionOptions, 'servers' | 'name' | 'user' | 'pass' | 'tls'> {
  readonly files?: CredentialFiles
}

/** One connection, as long as it lives. */
export interface NatsSession {
  readonly nc: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  /** A subject for answers, within what this client may subscribe to. */
  newInbox(): string
}

const DIAL_TIMEOUT_MS = 5000
/** A connection that is silently dead is seen after two of these. */
const PING_INTERVAL_MS = 15_000
const FLUSH_ON_CLOSE_MS = 1000
const JETSTREAM_TIMEOUT_MS = 5000

/**
 * Holds one connection to the broker and makes a new one whenever it is gone, for ever.
 *
 * nats.js can reconnect by itself, but then there are three ways to be connected (first, again, and closed for
 * good after an authorization error), and it keeps what was published meanwhile for whenever it comes back.
 * With one way, everything that lives on a connection is set up again at one place: `attach`.
 */
export class NatsLink {
  readonly status = new ConnectionStatus()
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: NatsServerOptions & { readonly inboxPrefix: string }
  readonly #closed = new AbortController()
  readonly #attached = new Set<(session: NatsSession) => void>()
  #session: NatsSession | undefined
  #started = false
  /** When a lost broker was found again. */
  #backSince = Number.NEGATIVE_INFINITY
  /** What was said of our waiting since the last connection. */
  readonly #said = new Set<ConnectTrouble['kind']>()
  #trouble: string | undefined

  constructor(
    deps: { readonly clock: Clock; readonly log: Logger },
    options: NatsServerOptions & { readonly inboxPrefix: string },
  ) {
    this.#clock = deps.clock
    this.#log = deps.log
    this.#options = options
  }

  /** Aborts when the link is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** The live connection, if there is one. */
  get session(): NatsSession | undefined {
    return this.#session
  }

  /** Why the last try to connect failed, and to whom; until one succeeds. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Whether a lost broker was found again so lately that others may still be looking for it. */
  isJustBack(): boolean {
    return this.#clock.now() - this.#backSince < 2 * LONGEST_CHEAP_PAUSE_MS
  }

  /** Begins to connect, if it has not begun yet. */
  start(): void {
    if (this.#started || this.closed.aborted) return
    this.#started = true
    void this.#keep()
  }

  /** The live connection; waits for one up to `timeoutMs`. */
  async sessionWithin(timeoutMs: number): Promise<NatsSession | undefined> {
    if (this.#session && !this.#session.nc.isClosed()) return this.#session
    this.start()
    await this.status.connectedWithin(this.#clock, timeoutMs, this.closed)
    return this.#session
  }

  /** Calls `setUp` now, if connected, and on every new connection. Returns what ends that. */
  attach(setUp: (session: NatsSession) => void): () => void {
    this.#attached.add(setUp)
    if (this.#session) this.#setUp(this.#session, setUp)
    return () => {
      this.#attached.delete(setUp)
    }
  }

  async close(): Promise<void> {
    if (this.closed.aborted) return
    const session = this.#session
    this.#closed.abort(new Error('The transport is closed'))
    this.#attached.clear()
    if (!session) return
    // Acks and replies that were written must reach the broker, unless it is not there to be reached.
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.after(FLUSH_ON_CLOSE_MS, resolve)
    await Promise.race([session.nc.flush().catch(() => undefined), late])
    timer.cancel()
    await session.nc.close()
  }

  async #keep(): Promise<void> {
    let lost = false
    while (!this.closed.aborted) {
      const nc = await this.#dial()
      if (!nc) return
      if (lost) this.#backSince = this.#clock.now()
      const js = jetstream(nc, { timeout: JETSTREAM_TIMEOUT_MS })
      const jsm = await js.jetstreamManager(false)
      if (this.closed.aborted) {
        await nc.close()
        return
      }
      this.#session = { nc, js, jsm, newInbox: () => createInbox(this.#options.inboxPrefix) }
      this.#said.clear()
      this.#trouble = undefined
      this.#log.info('Connected to the message broker', { server: nc.getServer() })
      void this.#watchRights(nc)
      for (const setUp of this.#attached) this.#setUp(this.#session, setUp)
      this.status.set('connected')
      const reason = await nc.closed()
      this.#session = undefined
      lost = true
      this.status.set('disconnected')
      if (this.closed.aborted) return
      this.#sayLost(reason)
    }
  }

  #sayLost(reason: Error | undefined | void): void {
    if (reason instanceof UserAuthenticationExpiredError) {
      this.#log.info('The message broker wants newer credentials; connecting again')
      return
    }
    this.#said.add('unreachable')
    this.#log.warn('Lost the message broker; will connect again', {
      reason: reason ? messageOf(reason) : 'the connection ended',
    })
  }

  /** What the broker refuses for want of a right is a mistake in the set-up, and loud: each once a connection. */
  async #watchRights(nc: NatsConnection): Promise<void> {
    const said = new Set<string>()
    for await (const event of nc.status()) {
      if (event.type !== 'error' || !(event.error instanceof PermissionViolationError)) continue
      const { operation, subject } = event.error
      if (said.has(`${operation} ${subject}`)) continue
      said.add(`${operation} ${subject}`)
      this.#log.error('The message broker refuses us a subject', { operation, subject })
    }
  }

  /** A connection may be gone again before it was set up: then the next one is set up in its place. */
  #setUp(session: NatsSession, setUp: (session: NatsSession) => void): void {
    try {
      setUp(session)
    } catch (error) {
      this.#log.debug('Could not use a new connection', { reason: messageOf(error) })
    }
  }

  /** Tries until it succeeds; undefined when the link was closed meanwhile. */
  async #dial(): Promise<NatsConnection | undefined> {
    const redial = new Redial(Math.random)
    while (!this.closed.aborted) {
      try {
        const { files = {}, ...options } = this.#options
        const nc = await connect({
          ...options,
          ...(await readCredentials(files)),
          reconnect: false,
          timeout: DIAL_TIMEOUT_MS,
          pingInterval: PING_INTERVAL_MS,
          maxPingOut: 2,
          // A stack of its own for every request costs more than the request.
          noAsyncTraces: true,
        })
        if (!this.closed.aborted) return nc
        await nc.close()
      } catch (error) {
        const trouble = connectTroubleOf(error)
        this.#trouble = `${[this.#options.servers].flat().join(', ')}: ${trouble.reason}`
        this.#sayWaiting(trouble)
        await this.#clock.sleep(redial.pauseMs(trouble.costly), this.closed).catch(() => undefined)
      }
    }
    return undefined
  }

  #sayWaiting({ kind, reason }: ConnectTrouble): void {
    if (this.#said.has(kind) || this.closed.aborted) return
    this.#said.add(kind)
    const facts = { servers: this.#options.servers, reason }
    // A broker that is not there comes by itself; the others want somebody to do something.
    if (kind === 'unreachable') this.#log.info('Waiting for the message broker', facts)
    else this.#log.warn('Waiting for the message broker', facts)
  }
}
