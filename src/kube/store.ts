import { type KubeObject, keyOf, type ObjectRef, refOfKey } from './resource.ts'

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
  /** Namespace → name → object. Their own strings serve as keys: one more for each of hundreds of thousands is felt. */
  readonly #objects = new Map<string, Map<string, T>>()
  readonly #indexes: ReadonlyMap<string, Index<T>>
  /** Index name → value → objects. */
  readonly #entries: ReadonlyMap<string, Map<string, Set<T>>>

  constructor(indexes: Readonly<Record<string, Index<T>>> = {}) {
    this.#indexes = new Map(Object.entries(indexes))
    this.#entries = new Map(Object.keys(indexes).map((name) => [name, new Map()]))
  }

  get size(): number {
    let size = 0
    for (const named of this.#objects.values()) size += named.size
    return size
  }

  get(key: string): T | undefined {
    const { namespace = '', name } = refOfKey(key)
    return this.#objects.get(namespace)?.get(name)
  }

  list(): T[] {
    return [...this.#objects.values()].flatMap((named) => [...named.values()])
  }

  keys(): string[] {
    return this.list().map(({ metadata }) => keyOf(metadata))
  }

  byIndex(indexName: string, value: string): T[] {
    const values = this.#entries.get(indexName)
    if (!values) throw new Error(`there is no index '${indexName}'`)
    return [...(values.get(value) ?? [])]
  }

  /** Takes an object in, in place of the one of its key, which is returned. */
  put(object: T): T | undefined {
    const { namespace = '', name: ownName } = object.metadata
    const old = this.#take(object.metadata)
    const named = this.#objects.get(namespace)
    if (named) named.set(ownName, object)
    else this.#objects.set(namespace, new Map([[ownName, object]]))
    for (const [name, index] of this.#indexes) {
      const values = this.#entries.get(name)
      for (const value of index(object)) {
        const objects = values?.get(value)
        if (objects) objects.add(object)
        else values?.set(value, new Set([object]))
      }
    }
    return old
  }

  /** Takes an object out and returns it. */
  remove(key: string): T | undefined {
    return this.#take(refOfKey(key))
  }

  #take({ namespace = '', name: ownName }: ObjectRef): T | undefined {
    const named = this.#objects.get(namespace)
    const old = named?.get(ownName)
    if (!named || !old) return undefined
    named.delete(ownName)
    if (named.size === 0) this.#objects.delete(namespace)
    for (const [name, index] of this.#indexes) {
      const values = this.#entries.get(name)
      for (const value of index(old)) {
        const objects = values?.get(value)
        objects?.delete(old)
        if (objects?.size === 0) values?.delete(value)
      }
    }
    return old
  }
}
