import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stringify } from 'yaml'
import { Api } from './api.ts'
import { BUILTIN_RESOURCES, type LooseResource, looseResource } from './builtin.ts'
import { type Clock, SYSTEM_CLOCK } from './clock.ts'
import { CRD_RESOURCE, servesDifferently, typesOfCrd } from './crd.ts'
import type { WriteOptions } from './decode.ts'
import { Deleter } from './deleter.ts'
import { EventExpiry } from './event-expiry.ts'
import { Faults } from './faults.ts'
import { GarbageCollector } from './garbage-collector.ts'
import { type AggregatedHandler, HttpHandler } from './http.ts'
import { clone, getString, type JsonObject, metaOf, textOf } from './json.ts'
import { RequestMetrics } from './metrics.ts'
import { OpenApi } from './openapi.ts'
import { PodLogs } from './pod-log.ts'
import { Reader } from './reader.ts'
import { Registry } from './registry.ts'
import { collectionKey, type ResourceType } from './resource.ts'
import { applyDefaults } from './schema/default.ts'
import { Store, type StoreEvent } from './store.ts'
import { Watches } from './watch.ts'
import { Writer } from './writer.ts'

const CRD_KEY = collectionKey(CRD_RESOURCE)
const FIRST_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** Settings of the server; all have defaults. */
export interface ApiServerOptions {
  /** 0, the default, takes any free port, and keeps it over stop and start. */
  readonly port?: number
  /** Kinds to serve without a schema, besides the builtin ones. */
  readonly resources?: readonly LooseResource[]
  /** CustomResourceDefinitions that are there from the start. */
  readonly crds?: readonly object[]
  /** How many changes each kind remembers at least, for watches to resume from. */
  readonly watchHistory?: number
  readonly bookmarkIntervalMs?: number
  /** A watcher with more unread than this is cut off. */
  readonly maxWatchBufferBytes?: number
  readonly firstResourceVersion?: number
  /** How long Events are kept after they were last written; an hour unless said otherwise. */
  readonly eventTtlMs?: number
}

/**
 * A Kubernetes API server in memory, on the real wire protocol, for `kilonova dev` and for tests. Plain HTTP on
 * 127.0.0.1, no authentication. Its objects outlive `stop()`, so that a stop and a start are a restart.
 */
export class ApiServer {
  /** Breaks requests on purpose. */
  readonly faults = new Faults()
  readonly #options: ApiServerOptions
  readonly #store: Store
  readonly #registry = new Registry()
  readonly #writer: Writer
  readonly #watches: Watches
  readonly #handler: HttpHandler
  readonly #eventExpiry: EventExpiry
  #server: Server | undefined
  #port: number

  constructor(deps: { readonly clock?: Clock } = {}, options: ApiServerOptions = {}) {
    const clock = deps.clock ?? SYSTEM_CLOCK
    this.#options = options
    this.#port = options.port ?? 0
    this.#store = new Store({
      firstResourceVersion: options.firstResourceVersion ?? 1,
      historySize: options.watchHistory ?? 2_000,
    })
    const store = this.#store
    const registry = this.#registry
    this.#watches = new Watches(
      { store, clock },
      {
        bookmarkIntervalMs: options.bookmarkIntervalMs ?? 10_000,
        maxBufferBytes: options.maxWatchBufferBytes ?? 16 * 1024 * 1024,
      },
    )
    this.#writer = new Writer({ store, clock })
    const deleter = new Deleter({ store, writer: this.#writer })
    const reader = new Reader({ store, clock })
    const api = new Api({ store, reader, writer: this.#writer, deleter, watches: this.#watches })
    const openApi = new OpenApi(registry)
    this.#handler = new HttpHandler({
      registry,
      api,
      openApi,
      faults: this.faults,
      metrics: new RequestMetrics(),
      podLogs: new PodLogs({ store }),
    })
    for (const resource of [...BUILTIN_RESOURCES, CRD_RESOURCE, ...(options.resources ?? [])]) {
      registry.register(looseResource(resource))
    }
    store.onEvent((collection, event) => {
      if (collection.key === CRD_KEY) this.#onCrdEvent(event)
    })
    new GarbageCollector({ store, registry, deleter })
    this.#eventExpiry = new EventExpiry({ store, clock }, { ttlMs: options.eventTtlMs ?? 3_600_000 })
  }

  /** `http://127.0.0.1:PORT`. Known once the server has been started. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The resource version of the last write. */
  get resourceVersion(): string {
    return String(this.#store.resourceVersion)
  }

  /** How many watches are open. */
  get watchCount(): number {
    return this.#watches.count
  }

  /** Starts to listen; the first time, also makes the first namespaces and the given CRDs. */
  async start(): Promise<void> {
    if (this.#store.collection('/namespaces').list('').length === 0) this.#seed()
    this.#eventExpiry.start()
    await this.resume()
  }

  /** Ends all watches in order, closes all connections, and stops listening. */
  async stop(): Promise<void> {
    this.#eventExpiry.stop()
    this.#watches.end()
    await this.pause()
  }

  /** Drops all connections and refuses new ones until `resume()`, as when the server is unreachable. */
  async pause(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  /** Listens again, on the same port. */
  async resume(): Promise<void> {
    if (this.#server) return
    const server = createServer({ keepAliveTimeout: 90_000, requestTimeout: 0 }, (request, response) => {
      void this.#handler.handle(request, response)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', () => resolve())
    })
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Has everything below a path (`/apis/GROUP`) answered by `handle`, as an aggregated API is. */
  aggregate(prefix: string, handle: AggregatedHandler): void {
    this.#handler.aggregate(prefix, handle)
  }

  /** Cuts the connection under every open watch. */
  dropWatches(): void {
    this.#watches.cut()
  }

  /** Forgets the watch history: a watch that resumes from before now is told 410 Expired. */
  compact(): void {
    for (const collection of this.#store.collections) collection.compact(this.#store.resourceVersion)
  }

  /** Installs a CustomResourceDefinition, or brings an installed one up to date. */
  installCrd(crd: object): void {
    this.apply(crd)
  }

  /** Creates an object in process, or replaces the one of its name. Checks it as a request would be. */
  apply(object: object): JsonObject {
    const next = clone(object as JsonObject)
    const type = this.#typeOf(next)
    const namespace = type.namespaced ? (getString(next, 'metadata', 'namespace') ?? 'default') : ''
    const options: WriteOptions = { dryRun: false, fieldValidation: 'Strict', warnings: [] }
    const existing = this.#store.collection(collectionKey(type)).get(namespace, textOf(metaOf(next)['name']))
    if (!existing) return this.#writer.create(type, namespace, next, options).object
    metaOf(next)['resourceVersion'] = String(existing.resourceVersion)
    return this.#writer.update(type, existing, next, { ...options, part: 'main', replace: true }).object
  }

  /** A kubeconfig that points here, for kubectl and for clients. */
  kubeconfig(): string {
    const name = 'kilonova'
    // client-node refuses plain http unless TLS verification is switched off.
    const cluster = { server: this.url, 'insecure-skip-tls-verify': true }
    return stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name, user: {} }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
      'current-context': name,
    })
  }

  #seed(): void {
    for (const name of FIRST_NAMESPACES)
      this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    for (const crd of this.#options.crds ?? []) this.installCrd(crd)
  }

  #typeOf(object: JsonObject): ResourceType {
    const apiVersion = getString(object, 'apiVersion') ?? ''
    const kind = getString(object, 'kind') ?? ''
    const type = this.#registry.inGroupVersion(apiVersion).find((candidate) => candidate.kind === kind)
    if (!type) throw new Error(`no kind ${kind} in ${apiVersion} is served`)
    return type
  }

  #onCrdEvent(event: StoreEvent): void {
    const crd = event.current.object
    if (event.type === 'MODIFIED' && event.previous && !servesDifferently(event.previous.object, crd)) return
    const key = {
      group: getString(crd, 'spec', 'group') ?? '',
      plural: getString(crd, 'spec', 'names', 'plural') ?? '',
    }
    this.#registry.unregister(key.group, key.plural)
    if (event.type === 'DELETED') {
      this.#store.drop(collectionKey(key))
      this.#watches.end(key)
      return
    }
    const types = typesOfCrd(crd)
    for (const type of types) this.#registry.register(type)
    const [first] = types
    if (first) this.#store.collection(collectionKey(first)).rewrite((object) => redefault(first, object))
  }
}

/** What reading under a changed CRD would show: the defaults of the new schema. */
function redefault(type: ResourceType, object: JsonObject): JsonObject {
  const next = clone(object)
  applyDefaults(type.schema, next)
  return next
}
