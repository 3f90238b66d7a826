import { type Deleter, FOREGROUND, isTerminating, ORPHAN } from './deleter.ts'
import { clone, getObjects, type JsonObject, metaOf, textOf } from './json.ts'
import { finalizersOf } from './object-meta.ts'
import type { Registry } from './registry.ts'
import { type Collection, type Located, ownerUids, type Store, type StoreEvent } from './store.ts'

const NAMESPACES = '/namespaces'
const BACKGROUND = { dryRun: false, propagation: 'Background' } as const

/**
 * What kube-controller-manager does for a real cluster: removes the dependents of what is gone, serves the
 * foreground and orphan policies, and empties namespaces that are being deleted.
 */
export class GarbageCollector {
  readonly #store: Store
  readonly #registry: Registry
  readonly #deleter: Deleter
  #queue: (() => void)[] = []

  constructor(deps: { readonly store: Store; readonly registry: Registry; readonly deleter: Deleter }) {
    this.#store = deps.store
    this.#registry = deps.registry
    this.#deleter = deps.deleter
    deps.store.onEvent((collection, event) => this.#onEvent(collection, event))
  }

  #onEvent(collection: Collection, event: StoreEvent): void {
    const { current } = event
    if (event.type === 'DELETED') {
      if (this.#store.dependentsOf(current.uid).length > 0)
        this.#later(() => this.#releaseDependents(current.uid))
      for (const owner of ownerUids(current.object)) this.#laterIfForeground(owner)
      if (current.namespace) this.#later(() => this.#finishNamespace(current.namespace))
      return
    }
    if (ownerUids(current.object).length > 0) this.#later(() => this.#checkOwners(current.uid))
    if (!isTerminating(current)) return
    if (collection.key === NAMESPACES) this.#later(() => this.#emptyNamespace(current.name))
    else this.#later(() => this.#serveFinalizers(current.uid))
  }

  /** After the request that caused it has been answered, as a controller of its own would. */
  #later(work: () => void): void {
    this.#queue.push(work)
    if (this.#queue.length > 1) return
    setImmediate(() => {
      const queue = this.#queue
      this.#queue = []
      for (const run of queue) run()
    })
  }

  #laterIfForeground(uid: string): void {
    const owner = this.#store.findByUid(uid)
    if (owner && isTerminating(owner.stored)) this.#later(() => this.#serveFinalizers(uid))
  }

  #releaseDependents(uid: string): void {
    for (const dependent of this.#store.dependentsOf(uid)) this.#checkOwners(dependent.stored.uid)
  }

  /** An object whose owners are all gone goes too; with an owner left, it only loses the dead references. */
  #checkOwners(uid: string): void {
    const found = this.#store.findByUid(uid)
    if (!found) return
    const owners = getObjects(found.stored.object, 'metadata', 'ownerReferences')
    const living = owners.filter((owner) => this.#isAlive(owner))
    if (owners.length === living.length) return
    if (living.length === 0) this.#delete(found)
    else this.#keepOwners(found, new Set(living.map((owner) => textOf(owner['uid']))))
  }

  /** An owner of a kind that is not served cannot be looked up, so it counts as alive, as on a real cluster. */
  #isAlive(owner: JsonObject): boolean {
    if (this.#store.findByUid(textOf(owner['uid']))) return true
    const types = this.#registry.inGroupVersion(textOf(owner['apiVersion']))
    return !types.some((type) => type.kind === owner['kind'])
  }

  #keepOwners(found: Located, uids: ReadonlySet<string>): void {
    const object = clone(found.stored.object)
    const references = getObjects(object, 'metadata', 'ownerReferences')
    const kept = references.filter((reference) => uids.has(textOf(reference['uid'])))
    if (kept.length > 0) metaOf(object)['ownerReferences'] = kept
    else delete metaOf(object)['ownerReferences']
    this.#store.put(found.collection, object)
  }

  #delete(found: Located): void {
    const type = this.#registry.findCollection(found.collection.key)
    if (type && !(isTerminating(found.stored) && finalizersOf(found.stored.object).length > 0)) {
      this.#deleter.delete(type, found.stored, BACKGROUND)
    }
  }

  #serveFinalizers(uid: string): void {
    const found = this.#store.findByUid(uid)
    if (!found || !isTerminating(found.stored)) return
    const finalizers = finalizersOf(found.stored.object)
    const dependents = this.#store.dependentsOf(uid)
    if (finalizers.includes(ORPHAN)) {
      for (const dependent of dependents) {
        this.#keepOwners(
          dependent,
          new Set(ownerUids(dependent.stored.object).filter((owner) => owner !== uid)),
        )
      }
      this.#dropFinalizer(found, ORPHAN)
    } else if (finalizers.includes(FOREGROUND)) {
      for (const dependent of dependents) this.#delete(dependent)
      if (this.#store.dependentsOf(uid).length === 0) this.#dropFinalizer(found, FOREGROUND)
    }
  }

  #dropFinalizer(found: Located, name: string): void {
    const rest = finalizersOf(found.stored.object).filter((finalizer) => finalizer !== name)
    if (rest.length === 0) {
      this.#store.remove(found.collection, found.stored)
      return
    }
    const object: JsonObject = clone(found.stored.object)
    metaOf(object)['finalizers'] = rest
    this.#store.put(found.collection, object)
  }

  #emptyNamespace(name: string): void {
    for (const collection of this.#store.collections) {
      for (const stored of collection.list(name)) this.#delete({ collection, stored })
    }
    this.#finishNamespace(name)
  }

  #finishNamespace(name: string): void {
    const namespaces = this.#store.collection(NAMESPACES)
    const namespace = namespaces.get('', name)
    if (!namespace || !isTerminating(namespace)) return
    for (const collection of this.#store.collections) {
      if (collection.list(name).length > 0) return
    }
    this.#store.remove(namespaces, namespace)
  }
}
