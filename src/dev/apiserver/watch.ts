import type { ServerResponse } from 'node:http'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import type { Clock } from './clock.ts'
import { forbidden as forbiddenField } from './field-error.ts'
import { type JsonObject } from './json.ts'
import { objectText, parseResourceVersion, type Rendering } from './reader.ts'
import { apiVersionOf, collectionKey, type ResourceType } from './resource.ts'
import { type Matcher, parseSelectors } from './selectors.ts'
import { expired, invalidObject } from './status.ts'
import type { Collection, Store, Stored, StoreEvent } from './store.ts'
import { singleTable } from './table.ts'

const MINUTE_MS = 60_000

/** Limits of watches. */
export interface WatchOptions {
  /** How often a watch that allows bookmarks gets one. */
  readonly bookmarkIntervalMs: number
  /** A watcher that has this much unread is cut off. */
  readonly maxBufferBytes: number
}

interface WatchRequest {
  readonly type: ResourceType
  readonly namespace: string
  readonly name: string
  readonly query: URLSearchParams
  readonly rendering: Rendering
}

/** Serves watches, and knows which are open. */
export class Watches {
  readonly #store: Store
  readonly #clock: Clock
  readonly #options: WatchOptions
  readonly #open = new Set<Watch>()

  constructor(deps: { readonly store: Store; readonly clock: Clock }, options: WatchOptions) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#options = options
  }

  get count(): number {
    return this.#open.size
  }

  /** Answers a watch; returns at once, the response stays open. */
  serve(request: WatchRequest, response: ServerResponse): void {
    checkInitialEvents(request.query)
    const matches = matcherOf(request)
    const from = parseResourceVersion(request.query.get('resourceVersion'))
    const deps = { store: this.#store, clock: this.#clock, response }
    const watch = new Watch(deps, { ...request, ...this.#options, matches })
    this.#open.add(watch)
    response.on('close', () => {
      watch.stop()
      this.#open.delete(watch)
    })
    watch.start(from)
  }

  /** Ends watches as a server that shuts down or loses a kind does: the stream just ends. */
  end(type?: { readonly group: string; readonly plural: string }): void {
    for (const watch of this.#open) {
      if (!type || collectionKey(type) === collectionKey(watch.type)) watch.end()
    }
  }

  /** Cuts the connections under all watches, as a broken network does. */
  cut(): void {
    for (const watch of this.#open) watch.cut()
  }
}

function checkInitialEvents(query: URLSearchParams): void {
  if (query.get('sendInitialEvents') === null || query.get('resourceVersionMatch') === 'NotOlderThan') return
  const why = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'
  throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
    forbiddenField('resourceVersionMatch', why),
  ])
}

function matcherOf(request: WatchRequest): Matcher {
  const selected = parseSelectors(request.type, request.query)
  const { namespace, name } = request
  return (object) => {
    const metadata = object['metadata'] as JsonObject
    if (namespace && metadata['namespace'] !== namespace) return false
    if (name && metadata['name'] !== name) return false
    return selected?.(object) ?? true
  }
}

interface WatchDeps {
  readonly store: Store
  readonly clock: Clock
  readonly response: ServerResponse
}

class Watch {
  readonly type: ResourceType
  readonly #deps: WatchDeps
  readonly #request: WatchRequest & WatchOptions & { readonly matches: Matcher }
  readonly #collection: Collection
  #timers: NodeJS.Timeout[] = []
  #unsubscribe: (() => void) | undefined
  #withColumns = true

  constructor(deps: WatchDeps, request: WatchRequest & WatchOptions & { readonly matches: Matcher }) {
    this.type = request.type
    this.#deps = deps
    this.#request = request
    this.#collection = deps.store.collection(collectionKey(request.type))
  }

  start(from: number | undefined): void {
    const { query, bookmarkIntervalMs } = this.#request
    this.#deps.response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
    })
    this.#deps.response.flushHeaders()
    if (!this.#sendBacklog(from)) return
    this.#unsubscribe = this.#collection.subscribe((event) => this.#onEvent(event))
    if (query.get('allowWatchBookmarks') === 'true') {
      this.#timers.push(setInterval(() => this.#bookmark(), bookmarkIntervalMs).unref())
    }
    const asked = Number(query.get('timeoutSeconds') ?? 0) * 1000
    const timeoutMs = asked > 0 ? asked : (30 + Math.random() * 30) * MINUTE_MS
    this.#timers.push(setTimeout(() => this.end(), timeoutMs).unref())
  }

  stop(): void {
    this.#unsubscribe?.()
    for (const timer of this.#timers) {
      clearInterval(timer)
      clearTimeout(timer)
    }
    this.#timers = []
  }

  end(): void {
    this.stop()
    this.#deps.response.end()
  }

  cut(): void {
    this.stop()
    this.#deps.response.destroy()
  }

  /** What happened before the watch: the present state, or the events since a version. False when too old. */
  #sendBacklog(from: number | undefined): boolean {
    const { query, namespace, matches } = this.#request
    const initial = query.get('sendInitialEvents')
    if (initial === 'true' || (initial === null && (from === undefined || from === 0))) {
      for (const stored of this.#collection.list(namespace)) {
        if (matches(stored.object)) this.#send('ADDED', stored)
      }
      if (initial === 'true') this.#bookmark({ 'k8s.io/initial-events-end': 'true' })
      return true
    }
    if (from === undefined || from === 0) return true
    const current = this.#deps.store.resourceVersion
    // A version from the future can only come from another server's life; the client must list again.
    const events = from > current ? undefined : this.#collection.eventsSince(from)
    if (!events) {
      const error = expired(`too old resource version: ${from} (${this.#collection.floor})`)
      this.#write(`{"type":"ERROR","object":${JSON.stringify(error.toStatus())}}\n`)
      this.end()
      return false
    }
    for (const event of events) this.#onEvent(event)
    return true
  }

  /** An object that comes to match is ADDED, one that ceases to is DELETED, whatever was done to it. */
  #onEvent(event: StoreEvent): void {
    const { matches } = this.#request
    const before = event.previous !== undefined && matches(event.previous.object)
    const after = event.type !== 'DELETED' && matches(event.current.object)
    if (after) this.#send(before ? 'MODIFIED' : 'ADDED', event.current)
    else if (before && event.type === 'DELETED') this.#send('DELETED', event.current)
    else if (before && event.previous) this.#send('DELETED', event.previous.at(event.resourceVersion))
  }

  #send(type: string, stored: Stored): void {
    const { rendering } = this.#request
    const text = rendering.format === 'table' ? this.#tableText(stored) : objectText(this.type, stored)
    this.#write(`{"type":"${type}","object":${text}}\n`)
  }

  #tableText(stored: Stored): string {
    const { include } = this.#request.rendering
    const now = this.#deps.clock.now()
    const withColumns = this.#withColumns
    this.#withColumns = false
    const format = `table ${apiVersionOf(this.type)} ${include} ${withColumns} ${Math.floor(now / 1000)}`
    return stored.text(format, () =>
      JSON.stringify(singleTable(this.type, stored, { now, include, withColumns })),
    )
  }

  #bookmark(annotations?: JsonObject): void {
    const resourceVersion = String(this.#deps.store.resourceVersion)
    const metadata: JsonObject = { resourceVersion, ...(annotations ? { annotations } : {}) }
    const object =
      this.#request.rendering.format === 'table'
        ? {
            kind: 'Table',
            apiVersion: 'meta.k8s.io/v1',
            metadata,
            columnDefinitions: null,
            rows: [bookmarkRow(metadata)],
          }
        : { kind: this.type.kind, apiVersion: apiVersionOf(this.type), metadata }
    this.#write(`{"type":"BOOKMARK","object":${JSON.stringify(object)}}\n`)
  }

  /** Writers never wait for a reader: what it does not take is kept for it up to a bound, then it is cut off. */
  #write(line: string): void {
    const { response } = this.#deps
    response.write(line)
    if (response.writableLength > this.#request.maxBufferBytes) this.cut()
  }
}

function bookmarkRow(metadata: JsonObject): JsonObject {
  return { cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }
}
