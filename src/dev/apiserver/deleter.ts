import { get, isObject, type JsonObject, metaOf } from './json.ts'
import { finalizersOf } from './object-meta.ts'
import { collectionKey, type ResourceType } from './resource.ts'
import { type Store, Stored } from './store.ts'
import { conflict } from './status.ts'
import type { Writer } from './writer.ts'

/** What a DeleteOptions may say. */
export interface DeleteOptions {
  readonly dryRun: boolean
  readonly propagation: 'Background' | 'Foreground' | 'Orphan'
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
}

export const FOREGROUND = 'foregroundDeletion'
export const ORPHAN = 'orphan'

/** The outcome of a delete. */
export interface Deleted {
  readonly stored: Stored
  /** False while finalizers hold the object. */
  readonly gone: boolean
}

/** Deletes objects, with preconditions, finalizers and propagation policy. */
export class Deleter {
  readonly #store: Store
  readonly #writer: Writer

  constructor(deps: { readonly store: Store; readonly writer: Writer }) {
    this.#store = deps.store
    this.#writer = deps.writer
  }

  delete(type: ResourceType, stored: Stored, options: DeleteOptions): Deleted {
    checkPreconditions(type, stored, options)
    const finalizers = this.#finalizersFor(stored, options)
    const isNamespace = type.group === '' && type.plural === 'namespaces'
    if (finalizers.length > 0 || isNamespace) {
      return { stored: this.#writer.markDeleted(type, stored, finalizers, options.dryRun), gone: false }
    }
    if (options.dryRun) return { stored, gone: true }
    return { stored: this.#store.remove(this.#store.collection(collectionKey(type)), stored), gone: true }
  }

  /** The object's own finalizers and, when dependents must go first or be cut loose, the collector's. */
  #finalizersFor(stored: Stored, options: DeleteOptions): string[] {
    const finalizers = finalizersOf(stored.object).filter((name) => name !== FOREGROUND && name !== ORPHAN)
    if (options.propagation === 'Background' || this.#store.dependentsOf(stored.uid).length === 0)
      return finalizers
    return [...finalizers, options.propagation === 'Foreground' ? FOREGROUND : ORPHAN]
  }
}

function checkPreconditions(type: ResourceType, stored: Stored, options: DeleteOptions): void {
  const { uid, resourceVersion } = options
  if (uid !== undefined && uid !== stored.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${stored.uid}). The object might have been deleted and then recreated`
    throw conflict(type, stored.name, why, type.kind)
  }
  if (resourceVersion !== undefined && resourceVersion !== String(stored.resourceVersion)) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${stored.resourceVersion}). The object might have been modified`
    throw conflict(type, stored.name, why, type.kind)
  }
}

/** Reads DeleteOptions from a body (which may be empty) and the query, the query first. */
export function deleteOptions(body: JsonObject, query: URLSearchParams): DeleteOptions {
  const preconditions = body['preconditions']
  const pick = (key: string): string | undefined => {
    const value = isObject(preconditions) ? preconditions[key] : undefined
    return typeof value === 'string' ? value : undefined
  }
  const policy = query.get('propagationPolicy') ?? body['propagationPolicy']
  const orphans = query.get('orphanDependents') === 'true' || body['orphanDependents'] === true
  const dryRun = body['dryRun']
  return {
    dryRun: query.get('dryRun') === 'All' || (Array.isArray(dryRun) && dryRun.includes('All')),
    propagation: policy === 'Foreground' || policy === 'Orphan' ? policy : orphans ? 'Orphan' : 'Background',
    uid: pick('uid'),
    resourceVersion: pick('resourceVersion'),
  }
}

/** True when the object is on its way out. */
export function isTerminating(stored: Stored): boolean {
  return get(metaOf(stored.object), 'deletionTimestamp') !== undefined
}
