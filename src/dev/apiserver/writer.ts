import { randomBytes, randomUUID } from 'node:crypto'
import { timestamp } from './age.ts'
import type { Clock } from './clock.ts'
import { decode, isNoOp, type WriteOptions } from './decode.ts'
import { type FieldError, invalid } from './field-error.ts'
import { clone, equal, get, getString, type Json, type JsonObject, metaOf, textOf } from './json.ts'
import { finalizersOf, validateMetadata } from './object-meta.ts'
import { collectionKey, type ResourceType } from './resource.ts'
import { applyDefaults } from './schema/default.ts'
import { validateSchema } from './schema/validate.ts'
import { type Store, Stored } from './store.ts'
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  forbidden,
  invalidObject,
  MODIFIED,
  notFound,
} from './status.ts'

const NAMESPACE = { group: '', plural: 'namespaces', kind: 'Namespace' }
/** After any of these the CEL rules are not run: they could trip over the same fault. */
const BLOCKING = new Set([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
  'FieldValueNotSupported',
])
const UNCHECKED: FieldError = {
  reason: 'FieldValueInvalid',
  field: '<nil>',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
}
/** The characters of generated names: no vowels, so that no words come out. */
const NAME_CHARACTERS = 'bcdfghjklmnpqrstvwxz2456789'

/** Which part of an object an update may change. */
export type Part = 'main' | 'status'

/** Creates and updates objects: everything between a decoded request and the store. */
export class Writer {
  readonly #store: Store
  readonly #clock: Clock

  constructor(deps: { readonly store: Store; readonly clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  create(type: ResourceType, namespace: string, object: JsonObject, options: WriteOptions): Stored {
    decode(type, object, options)
    const metadata = metaOf(object)
    this.#placeInNamespace(type, namespace, metadata)
    if (metadata['resourceVersion'] !== undefined) {
      throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created')
    }
    const collection = this.#store.collection(collectionKey(type))
    if (metadata['name'] === undefined && typeof metadata['generateName'] === 'string') {
      metadata['name'] = generateName(metadata['generateName'])
    }
    for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'managedFields', 'selfLink']) {
      delete metadata[key]
    }
    metadata['uid'] = randomUUID()
    metadata['creationTimestamp'] = timestamp(this.#clock.now())
    if (type.hasGeneration) metadata['generation'] = 1
    else delete metadata['generation']
    if (type.hasStatus && (type.custom || type.plural === 'pods')) delete object['status']
    type.prepare?.(object, undefined, this.#clock.now())
    this.#validate(type, object, undefined)
    // The real server stores the object without status and fills the default in when it reads it back.
    if (type.enforcesSchema) applyDefaults(type.schema, object)
    const name = textOf(metadata['name'])
    if (collection.get(namespace, name)) throw alreadyExists(type, name)
    return options.dryRun ? new Stored(object, 0) : this.#store.put(collection, object)
  }

  /** Writes a whole new state over a stored one. `expectUid` makes a foreign uid a conflict, as PUT does. */
  update(
    type: ResourceType,
    stored: Stored,
    object: JsonObject,
    options: WriteOptions & { readonly part: Part; readonly replace: boolean },
  ): Stored {
    decode(type, object, options)
    this.#checkIdentity(type, stored, object, options.replace)
    const next = this.#merge(type, stored, object, options.part)
    type.prepare?.(next, stored.object, this.#clock.now())
    if (type.enforcesSchema) applyDefaults(type.schema, next)
    if (type.hasGeneration && this.#desiredStateChanged(type, stored.object, next)) {
      metaOf(next)['generation'] = Number(get(stored.object, 'metadata', 'generation') ?? 0) + 1
    }
    this.#validate(type, next, stored.object)
    if (isNoOp(stored.object, next)) return stored
    if (options.dryRun) return new Stored(next, stored.resourceVersion)
    const collection = this.#store.collection(collectionKey(type))
    if (
      metaOf(next)['deletionTimestamp'] !== undefined &&
      finalizersOf(next).length === 0 &&
      mayVanish(type)
    ) {
      this.#store.remove(collection, stored)
      return new Stored(next, stored.resourceVersion)
    }
    return this.#store.put(collection, next)
  }

  /** Starts the deletion of an object that cannot go at once: sets its deletionTimestamp. */
  markDeleted(type: ResourceType, stored: Stored, finalizers: readonly string[], dryRun: boolean): Stored {
    const object = clone(stored.object)
    const metadata = metaOf(object)
    metadata['finalizers'] = [...finalizers]
    if (finalizers.length === 0) delete metadata['finalizers']
    if (metadata['deletionTimestamp'] === undefined) {
      metadata['deletionTimestamp'] = timestamp(this.#clock.now())
      if (type.plural !== 'namespaces') metadata['deletionGracePeriodSeconds'] = 0
      if (type.hasGeneration) metadata['generation'] = Number(metadata['generation'] ?? 0) + 1
    }
    type.prepare?.(object, stored.object, this.#clock.now())
    if (isNoOp(stored.object, object)) return stored
    if (dryRun) return new Stored(object, stored.resourceVersion)
    return this.#store.put(this.#store.collection(collectionKey(type)), object)
  }

  #placeInNamespace(type: ResourceType, namespace: string, metadata: JsonObject): void {
    if (!type.namespaced) {
      if (metadata['namespace'] !== undefined) {
        throw badRequest(
          'the namespace of the provided object does not match the namespace sent on the request',
        )
      }
      return
    }
    if (metadata['namespace'] !== undefined && metadata['namespace'] !== namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      )
    }
    metadata['namespace'] = namespace
    const found = this.#store.collection(collectionKey(NAMESPACE)).get('', namespace)
    if (!found) throw notFound(NAMESPACE, namespace)
    if (get(found.object, 'metadata', 'deletionTimestamp') === undefined) return
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw forbidden(type, textOf(metadata['name'] ?? ''), why, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ])
  }

  #checkIdentity(type: ResourceType, stored: Stored, object: JsonObject, replace: boolean): void {
    const metadata = metaOf(object)
    const name = getString(metadata, 'name') ?? ''
    if (name !== stored.name) {
      throw badRequest(`the name of the object (${name}) does not match the name on the URL (${stored.name})`)
    }
    if (metadata['namespace'] === undefined && stored.namespace) metadata['namespace'] = stored.namespace
    if ((metadata['namespace'] ?? '') !== stored.namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      )
    }
    const uid = metadata['uid']
    if (replace && uid !== undefined && uid !== stored.uid) {
      const why = `Precondition failed: UID in precondition: ${textOf(uid)}, UID in object meta: ${stored.uid}`
      throw conflict(type, name, why)
    }
    const resourceVersion = metadata['resourceVersion']
    if (resourceVersion === undefined || resourceVersion === '0') {
      if (!type.custom) return
      const error = invalid('metadata.resourceVersion', 0, 'must be specified for an update')
      throw invalidObject({ group: type.group, kind: type.plural }, name, [error])
    }
    if (resourceVersion !== String(stored.resourceVersion)) throw conflict(type, name, MODIFIED)
  }

  /** The next state: what this request may change from the request, everything else as it is stored. */
  #merge(type: ResourceType, stored: Stored, object: JsonObject, part: Part): JsonObject {
    const old = stored.object
    const oldMetadata = metaOf(old)
    const next: JsonObject =
      part === 'status' ? { ...clone(old), apiVersion: object['apiVersion'] ?? '' } : object
    if (type.hasStatus) {
      const status = part === 'status' ? object['status'] : old['status']
      if (status === undefined) delete next['status']
      else next['status'] = clone(status)
    }
    const metadata = metaOf(next)
    metadata['uid'] ??= stored.uid
    for (const key of [
      'creationTimestamp',
      'deletionTimestamp',
      'deletionGracePeriodSeconds',
      'generation',
    ]) {
      const value = oldMetadata[key]
      if (value === undefined) delete metadata[key]
      else metadata[key] = value
    }
    metadata['resourceVersion'] = String(stored.resourceVersion)
    return next
  }

  #desiredStateChanged(type: ResourceType, before: JsonObject, after: JsonObject): boolean {
    const desired = (object: JsonObject): Json => {
      const { apiVersion: _version, metadata: _metadata, status, ...rest } = object
      return type.hasStatus || status === undefined ? rest : { ...rest, status }
    }
    return !equal(desired(before), desired(after))
  }

  #validate(type: ResourceType, object: JsonObject, old: JsonObject | undefined): void {
    const errors = validateMetadata(object, old, type.validateName)
    if (type.enforcesSchema) errors.push(...validateSchema(type.schema, object))
    errors.push(...(type.validate?.(object, old) ?? []))
    if (type.rules) {
      if (errors.some((error) => BLOCKING.has(error.reason))) errors.push(UNCHECKED)
      else errors.push(...type.rules.validate(object, old))
    }
    if (errors.length > 0) throw invalidObject(type, getString(object, 'metadata', 'name') ?? '', errors)
  }
}

/** A namespace goes only when it is empty; its removal is the garbage collector's. */
function mayVanish(type: ResourceType): boolean {
  return !(type.group === '' && type.plural === 'namespaces')
}

function generateName(prefix: string): string {
  const random = [...randomBytes(5)].map((byte) => NAME_CHARACTERS[byte % NAME_CHARACTERS.length] ?? 'x')
  return `${prefix.slice(0, 58)}${random.join('')}`
}
