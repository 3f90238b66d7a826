import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import type { Clock } from '../common/clock.ts'
import { ApiError, errorOfResponse, unreachable } from './api-error.ts'
import { Credentials, type Identity } from './credentials.ts'
import type { KubeConfig } from './kube-config.ts'

export interface TransportOptions {
  /** Sent as User-Agent: the API server's audit log shows it. */
  readonly userAgent: string
  /** How many requests may be under way at a time; watches do not count. */
  readonly connections: number
  /** How long a request may take until its answer begins, milliseconds. */
  readonly requestTimeoutMs: number
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path and query. */
  readonly path: string
  readonly body?: string | undefined
  readonly contentType?: string | undefined
  readonly signal?: AbortSignal | undefined
}

type Answer = Dispatcher.ResponseData

/** Below the idle time after which API servers (90 s) and load balancers (60 s) hang up. */
const IDLE_MS = 30_000

interface Connections {
  /** The client certificate they were opened with, when a plugin gave one. */
  readonly cert: string | undefined
  readonly requests: Dispatcher
  /** Apart, and unbounded: each watch occupies a connection for minutes and must not starve the requests. */
  readonly watches: Dispatcher
}

/**
 * HTTP to one API server over shared, kept-alive connections. client-node opens a connection, with a TLS
 * handshake, for every request: five times slower and ten times the CPU.
 */
export class Transport {
  readonly #config: KubeConfig
  readonly #options: TransportOptions
  readonly #credentials: Credentials
  readonly #origin: string
  readonly #prefix: string
  #connections: Connections

  constructor(deps: { readonly clock: Clock }, config: KubeConfig, options: TransportOptions) {
    const url = new URL(config.server)
    this.#config = config
    this.#options = options
    this.#credentials = new Credentials(deps, config)
    this.#origin = url.origin
    this.#prefix = url.pathname.replace(/\/$/, '')
    this.#connections = connect(config, options, undefined)
  }

  /** The answer's body. Rejects with ApiError, or with the signal's reason. */
  async send(request: HttpRequest): Promise<string> {
    const timeoutMs = this.#options.requestTimeoutMs
    try {
      const answer = await this.#dispatch(request, { headersTimeout: timeoutMs, bodyTimeout: timeoutMs })
      return await answer.body.text()
    } catch (error) {
      throw this.#explain(request, error)
    }
  }

  /** The answer's body as it comes, without any limit of time. Rejects as `send`. */
  async open(request: HttpRequest): Promise<Answer['body']> {
    const timeoutMs = this.#options.requestTimeoutMs
    try {
      const answer = await this.#dispatch(request, { headersTimeout: timeoutMs, bodyTimeout: 0 }, true)
      return answer.body
    } catch (error) {
      throw this.#explain(request, error)
    }
  }

  /** Turns what broke a body that was already being read into an ApiError. */
  explainBroken(request: HttpRequest, error: unknown): unknown {
    return this.#explain(request, error)
  }

  async close(): Promise<void> {
    const { requests, watches } = this.#connections
    await Promise.all([requests.destroy(), watches.destroy()])
  }

  async #dispatch(request: HttpRequest, limits: Limits, isWatch = false): Promise<Answer> {
    const answer = await this.#attempt(request, limits, isWatch)
    if (answer.statusCode < 400) return answer
    const retryAfter = answer.headers['retry-after']
    const error = errorOfResponse(answer.statusCode, await answer.body.text(), String(retryAfter ?? ''))
    const isStale = error.code === 401 && this.#credentials.renewable && !limits.isSecondTry
    if (!isStale) throw error
    this.#credentials.forget()
    return this.#dispatch(request, { ...limits, isSecondTry: true }, isWatch)
  }

  async #attempt(request: HttpRequest, limits: Limits, isWatch: boolean): Promise<Answer> {
    const known = this.#credentials.current()
    // No needless turn of the microtask queue for the usual, static user.
    const identity = known instanceof Promise ? await known : known
    const { requests, watches } = this.#connectionsFor(identity)
    const body = request.body
    return (isWatch ? watches : requests).request({
      origin: this.#origin,
      path: this.#prefix + request.path,
      method: request.method,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent,
        ...(body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
        ...identity.headers,
      },
      body: body ?? null,
      signal: request.signal ?? null,
      headersTimeout: limits.headersTimeout,
      bodyTimeout: limits.bodyTimeout,
    })
  }

  /** A plugin may hand out a new client certificate: then new connections are needed. */
  #connectionsFor(identity: Identity): Connections {
    const old = this.#connections
    if (identity.cert === undefined || identity.cert === old.cert) return old
    this.#connections = connect(this.#config, this.#options, identity)
    // Requests under way still finish on the old ones; nobody waits for that.
    for (const dispatcher of [old.requests, old.watches]) dispatcher.close(() => undefined)
    return this.#connections
  }

  #explain(request: HttpRequest, error: unknown): unknown {
    if (request.signal?.aborted) return request.signal.reason
    if (error instanceof ApiError) return error
    return unreachable(`${request.method} ${this.#origin}${request.path}`, error)
  }
}

interface Limits {
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly isSecondTry?: boolean
}

function connect(config: KubeConfig, options: TransportOptions, identity: Identity | undefined): Connections {
  return {
    cert: identity?.cert,
    requests: dispatcherOf(config, options.connections, identity),
    watches: dispatcherOf(config, null, identity),
  }
}

function dispatcherOf(
  config: KubeConfig,
  connections: number | null,
  identity: Identity | undefined,
): Dispatcher {
  const tls = {
    ...config.tls,
    ...(identity?.cert !== undefined && { cert: identity.cert }),
    ...(identity?.key !== undefined && { key: identity.key }),
  }
  // HTTP/1.1: measured as fast as HTTP/2 here, and one lost connection then breaks one watch, not all.
  const common = { connections, allowH2: false, keepAliveTimeout: IDLE_MS, keepAliveMaxTimeout: IDLE_MS }
  if (config.proxyUrl !== undefined)
    return new ProxyAgent({ ...common, uri: config.proxyUrl, requestTls: tls })
  return new Agent({ ...common, connect: { ...tls, keepAlive: true, keepAliveInitialDelay: IDLE_MS } })
}
