import type { Clock } from '../common/clock.ts'
import { isRetryable } from './api-error.ts'
import type {
  CreateOptions,
  DeleteOptions,
  JsonPatchOperation,
  KubeClient,
  KubeList,
  ListOptions,
  PatchOptions,
  RequestOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts'
import type { KubeConfig } from './kube-config.ts'
import { apiVersionOf, type KubeObject, type ObjectRef, pathOf, type ResourceType } from './resource.ts'
import { type HttpRequest, Transport } from './transport.ts'
import { linesOf } from './watch-lines.ts'
import {
  eventOf,
  isHangUp,
  parseAnswer,
  selectorQuery,
  type WireEvent,
  type WireList,
  withPrecondition,
  withQuery,
  writePath,
} from './wire.ts'

export interface HttpKubeClientOptions {
  readonly clock: Clock
  readonly userAgent?: string | undefined
  /** How many requests may be under way at a time. */
  readonly connections?: number | undefined
  readonly requestTimeoutMs?: number | undefined
  /** How often a request that the server throttled (429 with Retry-After) is sent again. */
  readonly throttleRetries?: number | undefined
}

const DEFAULTS = {
  userAgent: 'kilonova',
  connections: 16,
  requestTimeoutMs: 30_000,
  throttleRetries: 5,
} as const

/** A read whose kept-alive connection the server had just hung up is sent again at once, so often. */
const READ_RETRIES = 2

/** The API server over HTTP. One of these serves a whole process: its connections are shared. */
export class HttpKubeClient implements KubeClient {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #throttleRetries: number

  private constructor(transport: Transport, clock: Clock, throttleRetries: number) {
    this.#transport = transport
    this.#clock = clock
    this.#throttleRetries = throttleRetries
  }

  /** Opens no connection yet. */
  static fromKubeConfig(config: KubeConfig, options: HttpKubeClientOptions): HttpKubeClient {
    const { clock } = options
    const transport = new Transport({ clock }, config, {
      userAgent: options.userAgent ?? DEFAULTS.userAgent,
      connections: options.connections ?? DEFAULTS.connections,
      requestTimeoutMs: options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs,
    })
    return new HttpKubeClient(transport, clock, options.throttleRetries ?? DEFAULTS.throttleRetries)
  }

  async get<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: RequestOptions,
  ): Promise<T> {
    return this.#object({ method: 'GET', path: pathOf(type, ref), signal: options?.signal })
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const path = withQuery(pathOf(type, options), {
      ...selectorQuery(options),
      limit: options.limit,
      continue: options.continue,
      resourceVersion: options.resourceVersion,
    })
    const list = await this.#object<WireList<T>>({ method: 'GET', path, signal: options.signal })
    const items = list.items ?? []
    // Built-in kinds leave these two out of a list's items.
    for (const item of items) {
      item.apiVersion ??= apiVersionOf(type)
      item.kind ??= type.kind
    }
    const rest = list.metadata.continue
    return {
      items,
      resourceVersion: list.metadata.resourceVersion ?? '',
      ...(rest ? { continue: rest } : {}),
    }
  }

  async create<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: CreateOptions = {},
  ): Promise<T> {
    const path = withQuery(pathOf(type, { namespace: object.metadata.namespace }), {
      fieldManager: options.fieldManager,
      dryRun: options.dryRun === true ? 'All' : undefined,
    })
    return this.#object({ method: 'POST', path, body: JSON.stringify(object), signal: options.signal })
  }

  async replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions & { readonly subresource?: 'status' | undefined } = {},
  ): Promise<T> {
    const path = writePath(type, object.metadata, options)
    return this.#object({ method: 'PUT', path, body: JSON.stringify(object), signal: options.signal })
  }

  async mergePatch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: object,
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#object({
      method: 'PATCH',
      path: writePath(type, ref, options),
      body: JSON.stringify(withPrecondition(patch, options.resourceVersion)),
      contentType: 'application/merge-patch+json',
      signal: options.signal,
    })
  }

  async jsonPatch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    operations: readonly JsonPatchOperation[],
    options: PatchOptions = {},
  ): Promise<T> {
    const { resourceVersion } = options
    const test = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion } as const
    return this.#object({
      method: 'PATCH',
      path: writePath(type, ref, options),
      body: JSON.stringify(resourceVersion === undefined ? operations : [test, ...operations]),
      contentType: 'application/json-patch+json',
      signal: options.signal,
    })
  }

  async delete<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds } = options
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy,
      gracePeriodSeconds,
      preconditions: { uid, resourceVersion },
    }
    await this.#send({
      method: 'DELETE',
      path: pathOf(type, ref),
      body: JSON.stringify(body),
      signal: options.signal,
    })
  }

  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void> {
    const path = withQuery(pathOf(type, { namespace: options.namespace }), {
      ...selectorQuery(options),
      watch: true,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds,
      allowWatchBookmarks: options.allowWatchBookmarks,
    })
    const request: HttpRequest = { method: 'GET', path, signal: options.signal }
    try {
      const body = await this.#transport.open(request)
      options.onOpen?.()
      for await (const line of linesOf(body)) yield eventOf(parseAnswer<WireEvent<T>>(line, request))
    } catch (error) {
      if (options.signal?.aborted) return
      throw this.#transport.explainBroken(request, error)
    }
  }

  async getRaw(path: string, options: RequestOptions = {}): Promise<string> {
    return this.#send({ method: 'GET', path, signal: options.signal })
  }

  async request(method: 'PUT', path: string, body: string): Promise<string> {
    return this.#send({ method, path, body })
  }

  async close(): Promise<void> {
    await this.#transport.close()
  }

  async #object<R>(request: HttpRequest): Promise<R> {
    return parseAnswer<R>(await this.#send(request), request)
  }

  /** Sends, and sends again where that is surely harmless: a throttled request was not looked at. */
  async #send(request: HttpRequest): Promise<string> {
    for (let retry = 0; ; retry++) {
      try {
        return await this.#transport.send(request)
      } catch (error) {
        const delayMs = this.#retryDelayMs(request, error, retry)
        if (delayMs === undefined) throw error
        if (delayMs > 0) await this.#clock.sleep(delayMs, request.signal)
      }
    }
  }

  #retryDelayMs(request: HttpRequest, error: unknown, retry: number): number | undefined {
    if (!isRetryable(error)) return undefined
    if (error.code === 429) return retry < this.#throttleRetries ? error.retryAfterMs : undefined
    const isCut = error.code === 0 && isHangUp(error.cause)
    return isCut && request.method === 'GET' && retry < READ_RETRIES ? 0 : undefined
  }
}
