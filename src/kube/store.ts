import { type KubeObject, keyOf } from './resource.ts'

/** Says under which values an object is found: one, several or none. Must not depend on anything else. */
export type Index<T> = (object: T) => readonly string[]

/** What callers see of a store. Objects are shared: never change one. */
export interface ReadonlyStore<T extends KubeObject> {
  /** By `keyOf`: `namespace/name`, or `name` for a cluster-wide kind. */
  get(key: string): T | undefined
  list(): T[]
  keys(): string[]
  readonly size: number
  /** The objects that the index called `indexName` has under `value`. Throws on an unknown index. */
  byIndex(indexName: string, value: string): T[]
}

/** Objects by key, and by the values that indexes give them. */
export class Store<T extends KubeObject> implements ReadonlyStore<T> {
  readonly #objects = new Map<string, T>()
  readonly #indexes: ReadonlyMap<string, Index<T>>
  /** Index name → value → keys. */
  readonly #entries: ReadonlyMap<string, Map<string, Set<string>>>

  constructor(indexes: Readonly<Record<string, Index<T>>> = {}) {
    this.#indexes = new Map(Object.entries(indexes))
    this.#entries = new Map(Object.keys(indexes).map((name) => [name, new Map()]))
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(): T[] {
    return [...this.#objects.values()]
  }

  keys(): string[] {
    return [...this.#objects.keys()]
  }

  byIndex(indexName: string, value: string): T[] {
    const values = this.#entries.get(indexName)
    if (!values) throw new Error(`there is no index '${indexName}'`)
    const found: T[] = []
    for (const key of values.get(value) ?? []) {
      const object = this.#objects.get(key)
      if (object) found.push(object)
    }
    return found
  }

  /** Takes an object in, in place of the one of its key, which is returned. */
  put(object: T): T | undefined {
    const key = keyOf(object.metadata)
    const old = this.remove(key)
    this.#objects.set(key, object)
    for (const [name, index] of this.#indexes) {
      const values = this.#entries.get(name)
      for (const value of index(object)) {
        const keys = values?.get(value)
        if (keys) keys.add(key)
        else values?.set(value, new Set([key]))
      }
    }
    return old
  }

  /** Takes an object out and returns it. */
  remove(key: string): T | undefined {
    const old = this.#objects.get(key)
    if (!old) return undefined
    this.#objects.delete(key)
    for (const [name, index] of this.#indexes) {
      const values = this.#entries.get(name)
      for (const value of index(old)) {
        const keys = values?.get(value)
        keys?.delete(key)
        if (keys?.size === 0) values?.delete(value)
      }
    }
    return old
  }
}
