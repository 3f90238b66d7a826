import type { Clock } from '../common/clock.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { Logger } from '../common/log.ts'
import { type Change, ObjectCache } from './object-cache.ts'
import { Reflector, type ReflectorDeps, type ReflectorOptions } from './reflector.ts'
import { type KubeObject, keyOf } from './resource.ts'
import { compareResourceVersions } from './resource-version.ts'
import { matcherOf } from './selector.ts'
import type { Index, ReadonlyStore } from './store.ts'

export interface InformerOptions<T extends KubeObject> extends ReflectorOptions<T> {
  readonly indexes?: Readonly<Record<string, Index<T>>> | undefined
  /** What of an object is kept, for whoever needs a part of many: it may change the object it is given. */
  readonly trim?: ((object: T) => T) | undefined
}

type Listener<T extends KubeObject> = (change: Change<T>) => void

/** A local, indexed copy of a kind, kept current, that tells of every change to it. */
export class Informer<T extends KubeObject> {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #cache: ObjectCache<T>
  readonly #reflector: Reflector<T>
  readonly #listeners = new Set<Listener<T>>()
  readonly #kind: string
  readonly #trim: (object: T) => T
  readonly #listed = Promise.withResolvers<void>()
  readonly #stop = new AbortController()
  #isSynced = false
  #running: Promise<void> | undefined

  constructor(deps: ReflectorDeps, options: InformerOptions<T>) {
    this.#clock = deps.clock
    this.#log = deps.log
    this.#kind = options.type.kind
    this.#trim = options.trim ?? ((object) => object)
    this.#cache = new ObjectCache<T>({ indexes: options.indexes, matches: matcherOf(options) }, (change) =>
      this.#tell(change),
    )
    this.#reflector = new Reflector(deps, options, {
      replace: (items, resourceVersion) => {
        for (const item of items) dropManagedFields(item)
        this.#cache.replace(items.map(this.#trim), resourceVersion)
        this.#isSynced = true
        this.#listed.resolve()
      },
      apply: (event) => {
        if (event.type === 'BOOKMARK') {
          this.#cache.apply(event)
          return
        }
        dropManagedFields(event.object)
        this.#cache.apply({ ...event, object: this.#trim(event.object) })
      },
    })
  }

  /** What is known. Never change an object in it. */
  get store(): ReadonlyStore<T> {
    return this.#cache.store
  }

  /** Begins to list and watch. May be called once; to begin again make a new informer. */
  start(): void {
    this.#running ??= this.#reflector.run(this.#stop.signal)
  }

  /** Ends it; the store stays as it is, and no listener is called any more. */
  async stop(): Promise<void> {
    this.#listeners.clear()
    this.#stop.abort()
    await this.#running
  }

  /** Resolves when the first list is in the store; rejects with the signal's reason when that is aborted first. */
  async synced(signal?: AbortSignal): Promise<void> {
    if (this.#isSynced || !signal) return this.#listed.promise
    signal.throwIfAborted()
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([this.#listed.promise, aborted.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Whether the store is complete and the watch is running, or at least was a moment ago. For readiness. */
  isHealthy(): boolean {
    return this.#isSynced && this.#reflector.isFollowing
  }

  /**
   * Calls `listener` for every later change (the first list gives an `added` for each object), after the store
   * has it. A listener must be quick; what it throws is logged. Returns what ends it.
   */
  onChange(listener: Listener<T>): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /**
   * Takes in the answer to one of our own writes at once, so that nobody here sees an older state than we wrote
   * ourselves. An answer that is older than what is held, or whose object is gone by now, changes nothing.
   */
  observe(object: T): void {
    if (!this.#stop.signal.aborted) this.#cache.observe(this.#trim(object))
  }

  /**
   * The object once it is held as of `version` or later: somebody who saw that version may be faster than the
   * watch. Undefined when the watch does not bring it within `timeoutMs`.
   */
  async atLeast(key: string, version: string | undefined, timeoutMs: number): Promise<T | undefined> {
    const isReached = (): boolean =>
      compareResourceVersions(this.store.get(key)?.metadata.resourceVersion, version) >= 0
    if (isReached()) return this.store.get(key)
    const { promise, resolve } = Promise.withResolvers<T | undefined>()
    const unsubscribe = this.onChange(({ object, type }) => {
      if (keyOf(object.metadata) !== key) return
      if (type === 'deleted' || isReached()) resolve(this.store.get(key))
    })
    const timer = this.#clock.after(timeoutMs, () => resolve(undefined))
    try {
      return await promise
    } finally {
      timer.cancel()
      unsubscribe()
    }
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        this.#log.error('A listener to changes failed', {
          kind: this.#kind,
          change: change.type,
          error: messageOf(error),
        })
      }
    }
  }
}

/** They are often half of an object, and nobody here looks at them. */
function dropManagedFields(object: KubeObject): void {
  if ('managedFields' in object.metadata) delete object.metadata.managedFields
}
