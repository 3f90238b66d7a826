import { get, getObjects, getString, type JsonObject, metaOf } from './json.ts'

/** One version of an object as it is stored. Never changed once made; a write makes a new one. */
export class Stored {
  readonly object: JsonObject
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: number
  readonly #texts = new Map<string, string>()

  constructor(object: JsonObject, resourceVersion: number) {
    this.object = object
    this.namespace = getString(object, 'metadata', 'namespace') ?? ''
    this.name = getString(object, 'metadata', 'name') ?? ''
    this.uid = getString(object, 'metadata', 'uid') ?? ''
    this.resourceVersion = resourceVersion
  }

  /** The order of lists and of pages: by namespace, then by name. */
  get key(): string {
    return `${this.namespace}/${this.name}`
  }

  /** A serialised form, made once however many readers and watchers want it. */
  text(format: string, make: (object: JsonObject) => string): string {
    let text = this.#texts.get(format)
    if (text === undefined) {
      text = make(this.object)
      this.#texts.set(format, text)
    }
    return text
  }

  /** The same object under the resource version of the event that took it away. */
  at(resourceVersion: number): Stored {
    const metadata = { ...metaOf(this.object), resourceVersion: String(resourceVersion) }
    return new Stored({ ...this.object, metadata }, resourceVersion)
  }
}

/** A change, as watches see it. A DELETED event carries the last state under a resource version of its own. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly resourceVersion: number
  readonly current: Stored
  readonly previous: Stored | undefined
}

/** All objects of one kind. */
export class Collection {
  readonly key: string
  readonly #historySize: number
  readonly #byNamespace = new Map<string, Map<string, Stored>>()
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  #history: StoreEvent[] = []
  /** Events up to this resource version are forgotten. */
  #floor: number
  #sorted: readonly Stored[] | undefined

  constructor(key: string, options: { readonly floor: number; readonly historySize: number }) {
    this.key = key
    this.#floor = options.floor
    this.#historySize = options.historySize
  }

  get floor(): number {
    return this.#floor
  }

  get(namespace: string, name: string): Stored | undefined {
    return this.#byNamespace.get(namespace)?.get(name)
  }

  /** The objects in the order of lists, of one namespace or (with '') of all. */
  list(namespace: string): readonly Stored[] {
    if (namespace) return [...(this.#byNamespace.get(namespace)?.values() ?? [])].sort(byKey)
    this.#sorted ??= [...this.#byNamespace.values()].flatMap((byName) => [...byName.values()]).sort(byKey)
    return this.#sorted
  }

  /** The events after a resource version; undefined when some of them are forgotten already. */
  eventsSince(resourceVersion: number): readonly StoreEvent[] | undefined {
    if (resourceVersion < this.#floor) return undefined
    let low = 0
    let high = this.#history.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#history[middle]?.resourceVersion ?? 0) > resourceVersion) high = middle
      else low = middle + 1
    }
    return this.#history.slice(low)
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets every event, as an etcd compaction does. */
  compact(resourceVersion: number): void {
    this.#history = []
    this.#floor = resourceVersion
  }

  /** Changes how objects look without writing them, as a new schema does. No watch hears of it. */
  rewrite(change: (object: JsonObject) => JsonObject): void {
    for (const byName of this.#byNamespace.values()) {
      for (const stored of byName.values()) {
        byName.set(stored.name, new Stored(change(stored.object), stored.resourceVersion))
      }
    }
    this.#sorted = undefined
  }

  apply(event: StoreEvent): void {
    const { current } = event
    let byName = this.#byNamespace.get(current.namespace)
    if (!byName) this.#byNamespace.set(current.namespace, (byName = new Map()))
    if (event.type === 'DELETED') {
      byName.delete(current.name)
      if (byName.size === 0) this.#byNamespace.delete(current.namespace)
    } else byName.set(current.name, current)
    this.#sorted = undefined
    this.#history.push(event)
    // Trimmed in halves, so that the cost of moving the array is spread over many writes.
    if (this.#history.length > this.#historySize * 2) {
      const dropped = this.#history.length - this.#historySize
      this.#floor = this.#history[dropped - 1]?.resourceVersion ?? this.#floor
      this.#history = this.#history.slice(dropped)
    }
    for (const listener of this.#listeners) listener(event)
  }
}

function byKey(a: Stored, b: Stored): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}

/** Where an object is, whatever its kind. */
export interface Located {
  readonly collection: Collection
  readonly stored: Stored
}

/**
 * The database: every object, one counter of resource versions, and a bounded history to resume watches from.
 * Writes are synchronous, so whatever a handler does between two awaits is one transaction.
 */
export class Store {
  readonly #historySize: number
  readonly #collections = new Map<string, Collection>()
  readonly #byUid = new Map<string, Located>()
  readonly #dependents = new Map<string, Set<string>>()
  readonly #listeners: ((collection: Collection, event: StoreEvent) => void)[] = []
  #resourceVersion: number

  constructor(options: { readonly firstResourceVersion: number; readonly historySize: number }) {
    this.#resourceVersion = options.firstResourceVersion
    this.#historySize = options.historySize
  }

  get resourceVersion(): number {
    return this.#resourceVersion
  }

  get collections(): Iterable<Collection> {
    return this.#collections.values()
  }

  collection(key: string): Collection {
    let collection = this.#collections.get(key)
    if (!collection) {
      collection = new Collection(key, { floor: this.#resourceVersion, historySize: this.#historySize })
      this.#collections.set(key, collection)
    }
    return collection
  }

  findByUid(uid: string): Located | undefined {
    const found = this.#byUid.get(uid)
    // A changed schema may have rewritten the object since it was stored.
    return (
      found && {
        ...found,
        stored: found.collection.get(found.stored.namespace, found.stored.name) ?? found.stored,
      }
    )
  }

  /** The objects whose ownerReferences name this uid. */
  dependentsOf(uid: string): Located[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.findByUid(dependent) ?? [])
  }

  /** Calls the listener after every write, after the watches have it. */
  onEvent(listener: (collection: Collection, event: StoreEvent) => void): void {
    this.#listeners.push(listener)
  }

  /** Stores an object under a new resource version, which is written into its metadata. */
  put(collection: Collection, object: JsonObject): Stored {
    const previous = collection.get(
      getString(object, 'metadata', 'namespace') ?? '',
      getString(object, 'metadata', 'name') ?? '',
    )
    const resourceVersion = ++this.#resourceVersion
    metaOf(object)['resourceVersion'] = String(resourceVersion)
    const current = new Stored(object, resourceVersion)
    this.#unindex(previous)
    this.#byUid.set(current.uid, { collection, stored: current })
    for (const owner of ownerUids(object)) {
      const set = this.#dependents.get(owner) ?? new Set()
      this.#dependents.set(owner, set.add(current.uid))
    }
    this.#emit(collection, { type: previous ? 'MODIFIED' : 'ADDED', resourceVersion, current, previous })
    return current
  }

  /** Removes an object. The returned last state carries the resource version of its removal. */
  remove(collection: Collection, stored: Stored): Stored {
    const resourceVersion = ++this.#resourceVersion
    const current = stored.at(resourceVersion)
    this.#unindex(stored)
    this.#emit(collection, { type: 'DELETED', resourceVersion, current, previous: stored })
    return current
  }

  /** Forgets a whole kind: its objects are removed one by one, so that watchers hear of each. */
  drop(key: string): void {
    const collection = this.#collections.get(key)
    if (!collection) return
    for (const stored of collection.list('')) this.remove(collection, stored)
    this.#collections.delete(key)
  }

  #emit(collection: Collection, event: StoreEvent): void {
    collection.apply(event)
    for (const listener of this.#listeners) listener(collection, event)
  }

  #unindex(stored: Stored | undefined): void {
    if (!stored) return
    this.#byUid.delete(stored.uid)
    for (const owner of ownerUids(stored.object)) {
      const set = this.#dependents.get(owner)
      set?.delete(stored.uid)
      if (set?.size === 0) this.#dependents.delete(owner)
    }
  }
}

/** The uids of an object's owners. */
export function ownerUids(object: JsonObject): string[] {
  return getObjects(object, 'metadata', 'ownerReferences').flatMap((owner) => {
    const uid = get(owner, 'uid')
    return typeof uid === 'string' ? [uid] : []
  })
}
