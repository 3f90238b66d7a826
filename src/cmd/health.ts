import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Clock, Timer } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import type { Transport } from '../rpc/transport.ts'
import type { Metrics } from './metrics.ts'
import type { Service } from './service.ts'

export interface HealthOptions {
  /** 0 takes any. */
  readonly port: number
  /** How often a message is sent round. Default 10 s. */
  readonly roundTripIntervalMs?: number
}

/** What tells whether the broker works: only that a message came round. */
export type RoundTrip = Pick<Transport, 'roundTrip'>

const ROUND_TRIP_INTERVAL_MS = 10_000

const PLAIN = 'text/plain; charset=utf-8'

/**
 * /healthz (the process lives) and /readyz (it can work: what it needs is there, and a message went round the
 * broker not long ago). A broker can be connected and sick; only the round trip tells. What is missing elsewhere
 * is never a reason to be restarted: /healthz knows nothing of it. /metrics is for Prometheus.
 */
export class HealthServer {
  readonly #service: Service
  readonly #transport: RoundTrip
  readonly #clock: Clock
  readonly #log: Logger
  readonly #metrics: Metrics | undefined
  readonly #options: HealthOptions
  readonly #server: Server
  #roundTrip: string | undefined = 'no message went round yet'
  #isStarted = false
  #isStopping = false
  #isLooking = false
  #wasReady: boolean | undefined
  #timer: Timer | undefined

  constructor(
    deps: {
      readonly service: Service
      readonly transport: RoundTrip
      readonly clock: Clock
      readonly log: Logger
      readonly metrics?: Metrics | undefined
    },
    options: HealthOptions,
  ) {
    this.#service = deps.service
    this.#transport = deps.transport
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.health')
    this.#options = options
    this.#metrics = deps.metrics
    deps.metrics?.follow(deps.service, () => this.failures().length === 0)
    this.#server = createServer((request, response) => {
      if (request.url === '/metrics' && this.#metrics) {
        void this.#tell(this.#metrics, response)
        return
      }
      const { code, body } = this.#answer(request.url)
      response.writeHead(code, { 'content-type': PLAIN }).end(`${body}\n`)
    })
  }

  /** Resolves with the port it listens on. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, () => resolve())
    })
    this.#timer = this.#clock.every(
      this.#options.roundTripIntervalMs ?? ROUND_TRIP_INTERVAL_MS,
      () => void this.#check(),
    )
    void this.#check()
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : this.#options.port
  }

  /** The service has started: from now on it is ready whenever what it needs is there. */
  serviceStarted(): void {
    this.#isStarted = true
    void this.#check()
  }

  /** The service leaves: from now on it is not ready, so that nobody is sent to it; it still lives. */
  serviceStopping(): void {
    this.#isStopping = true
  }

  stop(): void {
    this.#timer?.cancel()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** What keeps the service from working, a sentence each. */
  failures(): readonly string[] {
    if (this.#isStopping) return ['stopping']
    const missing = this.#service.checks
      .filter((check) => !check.isReady())
      .map(({ name }) => `${name} is not ready`)
    return [
      ...(this.#isStarted ? [] : ['still starting']),
      ...missing,
      ...(this.#roundTrip === undefined ? [] : [`messaging: ${this.#roundTrip}`]),
    ]
  }

  #answer(path: string | undefined): { readonly code: number; readonly body: string } {
    if (path === '/healthz') return { code: 200, body: 'ok' }
    if (path !== '/readyz') return { code: 404, body: 'not found' }
    // Whoever asks a service that is red gets the answer of a moment ago, and makes the next one a new one.
    if (this.#roundTrip !== undefined) void this.#check()
    const failures = this.failures()
    return failures.length === 0 ? { code: 200, body: 'ok' } : { code: 503, body: failures.join('\n') }
  }

  async #tell(metrics: Metrics, response: ServerResponse): Promise<void> {
    try {
      const { contentType, body } = await metrics.text()
      response.writeHead(200, { 'content-type': contentType }).end(body)
    } catch (error) {
      response.writeHead(500, { 'content-type': PLAIN }).end(`${messageOf(error)}\n`)
    }
  }

  async #check(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      await this.#transport.roundTrip()
      this.#roundTrip = undefined
    } catch (error) {
      this.#roundTrip = messageOf(error)
    } finally {
      this.#isLooking = false
    }
    const failures = this.failures()
    const isReady = failures.length === 0
    if (this.#wasReady === isReady || !this.#isStarted || this.#isStopping) return
    this.#wasReady = isReady
    if (isReady) this.#log.info('Ready')
    else this.#log.warn('Not ready', { reasons: failures })
  }
}
