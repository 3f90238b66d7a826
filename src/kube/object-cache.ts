import type { WatchEvent } from './client.ts'
import { type KubeObject, keyOf } from './resource.ts'
import { compareResourceVersions, isNewer } from './resource-version.ts'
import { type Index, Store } from './store.ts'

/** What became different. `old` is what was held before, on an update. */
export interface Change<T extends KubeObject> {
  readonly type: 'added' | 'updated' | 'deleted'
  /** The object as it is now or, when deleted, as it was last. */
  readonly object: T
  readonly old?: T
}

/**
 * Merges three accounts of the same objects into one store that never goes back in time: lists, watch events,
 * and the answers to our own writes, which may arrive before or after the events they cause.
 */
export class ObjectCache<T extends KubeObject> {
  readonly store: Store<T>
  readonly #matches: (object: T) => boolean
  readonly #emit: (change: Change<T>) => void
  /** The newest version that a list or the watch has told of: all before it is known. */
  #seen = ''
  /** Objects that our own write made go (its last finalizer) and whose DELETED is still to come, by key. */
  readonly #gone = new Map<string, T>()

  constructor(
    options: {
      readonly indexes?: Readonly<Record<string, Index<T>>> | undefined
      /** Whether an object is one of those that are listed and watched. */
      readonly matches: (object: T) => boolean
    },
    emit: (change: Change<T>) => void,
  ) {
    this.store = new Store(options.indexes)
    this.#matches = options.matches
    this.#emit = emit
  }

  /** A complete list, as of `resourceVersion`. */
  replace(items: readonly T[], resourceVersion: string): void {
    // A list is never older than what was watched before it, unless the server began a new history (a restored
    // backup, another etcd). Then versions say nothing any more, and what is held is compared with nothing.
    const isNewHistory = compareResourceVersions(resourceVersion, this.#seen) < 0
    if (isNewHistory) this.#gone.clear()
    this.#seen = resourceVersion
    const listed = new Set(items.map((item) => keyOf(item.metadata)))
    for (const key of this.store.keys()) {
      const held = this.store.get(key)
      if (!held || listed.has(key)) continue
      const isOwnLaterWrite = compareResourceVersions(held.metadata.resourceVersion, resourceVersion) > 0
      if (isNewHistory || !isOwnLaterWrite) this.#remove(key, held)
    }
    for (const key of this.#gone.keys()) if (!listed.has(key)) this.#gone.delete(key)
    for (const item of items) {
      const held = this.store.get(keyOf(item.metadata))
      const isKnown = held ? !isNewHistory && !isNewer(item, held) : this.#isGone(item)
      if (!isKnown) this.#put(item)
    }
  }

  /** An event of a watch that goes on from what was listed or watched last. */
  apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#see(event.resourceVersion)
      return
    }
    const { object } = event
    const { resourceVersion } = object.metadata
    const key = keyOf(object.metadata)
    const held = this.store.get(key)
    if (event.type === 'DELETED') {
      if (this.#gone.get(key)?.metadata.uid === object.metadata.uid) this.#gone.delete(key)
      // A later object of the same name, of our own making, may already be held.
      if (held && !isNewer(held, object)) this.#remove(key, object)
    } else {
      const isKnown = held
        ? !isNewer(object, held)
        : this.#isGone(object) || compareResourceVersions(resourceVersion, this.#seen) <= 0
      if (!isKnown) this.#put(object)
    }
    this.#see(resourceVersion)
  }

  /** The answer to one of our own writes. */
  observe(object: T): void {
    const key = keyOf(object.metadata)
    const held = this.store.get(key)
    if (held ? !isNewer(object, held) && !isEnding(object) : this.#isStale(object)) return
    if (isEnding(object)) {
      if (held && held.metadata.uid !== object.metadata.uid) return
      this.#gone.set(key, object)
      if (held) this.#remove(key, object)
    } else if (this.#matches(object)) {
      this.#put(object)
    } else if (held) {
      this.#remove(key, object)
    }
  }

  /** Not held, and older than what the watch told: it came and went meanwhile. */
  #isStale(object: T): boolean {
    const isOld = compareResourceVersions(object.metadata.resourceVersion, this.#seen) <= 0
    return isOld || this.#isGone(object)
  }

  #isGone(object: T): boolean {
    const gone = this.#gone.get(keyOf(object.metadata))
    return gone !== undefined && gone.metadata.uid === object.metadata.uid && !isNewer(object, gone)
  }

  #see(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined) return
    if (compareResourceVersions(resourceVersion, this.#seen) > 0) this.#seen = resourceVersion
  }

  #put(object: T): void {
    const key = keyOf(object.metadata)
    const held = this.store.get(key)
    // Deleted and created again between two looks: two objects, so two changes.
    if (held && held.metadata.uid !== object.metadata.uid) this.#remove(key, held)
    const old = this.store.put(object)
    this.#emit(old ? { type: 'updated', object, old } : { type: 'added', object })
  }

  #remove(key: string, last: T): void {
    const old = this.store.remove(key)
    if (old) this.#emit({ type: 'deleted', object: last, old })
  }
}

/** The server answers with such an object when a write took its last finalizer: with that answer it is gone. */
function isEnding(object: KubeObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata
  return deletionTimestamp !== undefined && !finalizers?.length && !deletionGracePeriodSeconds
}
