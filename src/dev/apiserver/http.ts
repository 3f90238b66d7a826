import type { IncomingMessage, ServerResponse } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Api } from './api.ts'
import { discover, VERSION } from './discovery.ts'
import type { Fault, Faults } from './faults.ts'
import type { RequestMetrics } from './metrics.ts'
import type { OpenApi } from './openapi.ts'
import type { PodLogs } from './pod-log.ts'
import type { Registry } from './registry.ts'
import { acceptedFormat, parseResourcePath, type ResourcePath, verbOf } from './request.ts'
import type { ResourceType } from './resource.ts'
import { ApiError, methodNotAllowed, noSuchResource } from './status.ts'

const HEALTH = new Set(['/healthz', '/livez', '/readyz'])
const REASONS: Readonly<Record<number, readonly [reason: string, message: string]>> = {
  401: ['Unauthorized', 'Unauthorized'],
  403: ['Forbidden', 'forbidden: refused on purpose'],
  404: ['NotFound', 'the server could not find the requested resource'],
  409: ['Conflict', 'Operation cannot be fulfilled: refused on purpose'],
  410: ['Expired', 'too old resource version: refused on purpose'],
  429: ['TooManyRequests', 'the server has received too many requests and has asked us to try again later'],
  500: ['InternalError', 'an error on the server has prevented the request from succeeding'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'Timeout: request did not complete within the allotted timeout'],
}

/**
 * Answers what another server would behind a real API server: an aggregated API. Undefined for a path that is
 * not its own.
 */
export type AggregatedHandler = (
  method: string,
  path: string,
  body: unknown,
) => Promise<{ readonly code: number; readonly body: object } | undefined>

/** Answers HTTP requests: the documents about the API itself here, those for resources through the Api. */
export class HttpHandler {
  readonly #registry: Registry
  readonly #api: Api
  readonly #openApi: OpenApi
  readonly #faults: Faults
  readonly #metrics: RequestMetrics
  readonly #podLogs: PodLogs
  #aggregated: { readonly prefix: string; readonly handle: AggregatedHandler } | undefined

  constructor(deps: {
    readonly registry: Registry
    readonly api: Api
    readonly openApi: OpenApi
    readonly faults: Faults
    readonly metrics: RequestMetrics
    readonly podLogs: PodLogs
  }) {
    this.#registry = deps.registry
    this.#api = deps.api
    this.#openApi = deps.openApi
    this.#faults = deps.faults
    this.#metrics = deps.metrics
    this.#podLogs = deps.podLogs
  }

  /** Has everything below `prefix` answered by `handle`. */
  aggregate(prefix: string, handle: AggregatedHandler): void {
    this.#aggregated = { prefix, handle }
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://localhost')
      if (await this.#passOn(url.pathname, request, response)) return
      if (this.#document(url.pathname, request, response)) return
      if (!(await this.#podLog(url, request, response))) await this.#resource(url, request, response)
    } catch (error) {
      sendError(response, error)
    }
  }

  async #passOn(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (!this.#aggregated || !path.startsWith(`${this.#aggregated.prefix}/`)) return false
    const text = await textOf(request)
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    const answer = await this.#aggregated.handle(request.method ?? 'GET', path, body)
    if (answer) send(response, answer.code, JSON.stringify(answer.body))
    return answer !== undefined
  }

  /** Answers the paths that are no resources; false when this is none of them. */
  #document(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false
    const { accept } = request.headers
    if (HEALTH.has(path) || path.startsWith('/readyz/') || path.startsWith('/livez/')) {
      send(response, 200, 'ok', 'text/plain; charset=utf-8')
    } else if (path === '/version' || path === '/version/') {
      send(response, 200, JSON.stringify(VERSION))
    } else if (path === '/metrics') {
      send(response, 200, this.#metrics.text(), 'text/plain; version=0.0.4')
    } else if (path.startsWith('/openapi/')) {
      const text = this.#openApi.get(path)
      if (text === undefined) throw noSuchResource()
      // kubectl asks for protobuf only here; told that there is none, it goes on without.
      if (!acceptedFormat(accept)) throw new ApiError(406, 'NotAcceptable', 'only application/json is served')
      send(response, 200, text)
    } else if (path === '/') {
      send(response, 200, JSON.stringify({ paths: ['/api', '/apis', '/healthz', '/openapi/v3', '/version'] }))
    } else return this.#discovery(path, accept, response)
    return true
  }

  #discovery(path: string, accept: string | undefined, response: ServerResponse): boolean {
    const found = discover(this.#registry, path, accept)
    if (found) send(response, 200, JSON.stringify(found.body), found.contentType)
    return found !== undefined
  }

  async #podLog(url: URL, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { resource, subresource, namespace = '', name = '' } = parseResourcePath(url.pathname) ?? {}
    if (request.method !== 'GET' || resource !== 'pods' || subresource !== 'log') return false
    send(response, 200, await this.#podLogs.read(namespace, name, url.searchParams), 'text/plain')
    return true
  }

  async #resource(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = parseResourcePath(url.pathname)
    const type = path && this.#registry.find(path.group, path.version, path.resource)
    if (!path || !type || !hasSubresource(type, path.subresource)) throw noSuchResource()
    const query = url.searchParams
    const verb = verbOf(request.method ?? '', path, query)
    if (!verb) throw methodNotAllowed(type, (request.method ?? '').toLowerCase())
    this.#count(request, response, path, verb)
    const faults = this.#faults.take({ ...path, verb, userAgent: request.headers['user-agent'] ?? '' })
    if (await suffer(faults, response)) return
    const answer = await this.#api.handle({ verb, type, path, query, message: request }, response)
    if (faults.some((fault) => fault.kind === 'loseAnswer')) {
      response.destroy()
      return
    }
    if (!answer) return
    for (const warning of answer.warnings ?? []) {
      response.appendHeader('warning', `299 - ${JSON.stringify(warning)}`)
    }
    send(response, answer.code, answer.text)
  }

  #count(request: IncomingMessage, response: ServerResponse, path: ResourcePath, verb: string): void {
    const { group, version, resource, subresource } = path
    response.on('close', () => {
      this.#metrics.count({
        verb: verb.toUpperCase(),
        group,
        version,
        resource,
        subresource,
        code: response.statusCode,
      })
    })
    request.on('error', () => response.destroy())
  }
}

function hasSubresource(type: ResourceType, subresource: string): boolean {
  if (subresource === '') return true
  return (
    (subresource === 'status' && type.hasStatus) ||
    (subresource === 'finalize' && type.plural === 'namespaces')
  )
}

/** Lets the faults strike that come before the request is carried out. True when nothing is left to do. */
async function suffer(faults: readonly Fault[], response: ServerResponse): Promise<boolean> {
  for (const fault of faults) {
    if (fault.kind === 'delay') await delay(fault.ms)
    else if (fault.kind === 'cut') {
      response.destroy()
      return true
    } else if (fault.kind === 'refuse') {
      const [reason, message] = REASONS[fault.statusCode] ?? [
        '',
        `refused on purpose with ${fault.statusCode}`,
      ]
      throw new ApiError(
        fault.statusCode,
        reason,
        message,
        fault.statusCode === 429 ? { retryAfterSeconds: 1 } : {},
      )
    }
  }
  return false
}

function send(response: ServerResponse, code: number, text: string, contentType = 'application/json'): void {
  response.writeHead(code, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
  })
  response.end(text)
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known = toApiError(error)
  if (known.code === 429) response.setHeader('retry-after', '1')
  send(response, known.code, JSON.stringify(known.toStatus()))
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof URIError) return new ApiError(400, 'BadRequest', 'the path is not well-formed')
  const text = error instanceof Error ? error.message : String(error)
  return new ApiError(500, 'InternalError', `Internal error occurred: ${text}`, {
    causes: [{ message: text }],
  })
}
