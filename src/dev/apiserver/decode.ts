import { equal, getString, isObject, type Json, type JsonObject, metaOf } from './json.ts'
import { apiVersionOf, type ResourceType } from './resource.ts'
import { applyDefaults } from './schema/default.ts'
import { prune, pruneMetadata } from './schema/prune.ts'
import { ApiError, badRequest, invalidObject } from './status.ts'
import { invalid } from './field-error.ts'

/** What a write's query says about how to treat it. */
export interface WriteOptions {
  readonly dryRun: boolean
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict'
  /** True for patches, whose unknown fields are complained about in other words. */
  readonly isPatch?: boolean
  /** Warnings are added here; they become `Warning` headers. */
  readonly warnings: string[]
}

/** Refuses an object that is of another kind or version than the path says. */
export function checkKind(type: ResourceType, object: JsonObject): void {
  const expected = apiVersionOf(type)
  const apiVersion = getString(object, 'apiVersion') ?? ''
  const kind = getString(object, 'kind') ?? ''
  // Clients of builtin kinds leave both out; the path says what they are.
  if (!type.custom && apiVersion === '') object['apiVersion'] = expected
  if (!type.custom && kind === '') object['kind'] = type.kind
  if (object['apiVersion'] !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    )
  }
  if (object['kind'] !== type.kind) {
    const name = getString(object, 'metadata', 'name') ?? ''
    const error = invalid('kind', kind, `must be ${type.kind}`)
    throw invalidObject({ group: type.group, kind }, name, [error])
  }
}

/** Prunes and defaults a freshly received object, in place. */
export function decode(type: ResourceType, object: JsonObject, options: WriteOptions): void {
  checkKind(type, object)
  checkMetadataTypes(type, object)
  const received = options.isPatch && options.fieldValidation === 'Strict' ? JSON.stringify(object) : ''
  const unknown = pruneMetadata(object)
  if (type.enforcesSchema) unknown.push(...prune(type.schema, object))
  const complaints = unknown.map((path) => `unknown field "${path}"`)
  if (complaints.length > 0 && options.fieldValidation === 'Strict') {
    if (options.isPatch) throw patchRefused(received, complaints)
    throw badRequest(
      `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: strict decoding error: ${complaints.join(', ')}`,
    )
  }
  if (options.fieldValidation === 'Warn') options.warnings.push(...complaints)
  if (type.enforcesSchema) applyDefaults(type.schema, object)
}

function patchRefused(received: string, complaints: readonly string[]): ApiError {
  const error = invalid('patch', received, `strict decoding error: ${complaints.join(', ')}`)
  const message = ` "" is invalid: ${error.field}: ${error.message}`
  return new ApiError(422, 'Invalid', message, { causes: [{ ...error }] })
}

function checkMetadataTypes(type: ResourceType, object: JsonObject): void {
  object['metadata'] ??= {}
  const metadata = object['metadata']
  const refuse = (path: string, value: Json): never => {
    const found = Array.isArray(value) ? 'array' : typeof value
    throw badRequest(
      `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: json: cannot unmarshal ${found} into Go struct field ObjectMeta.${path}`,
    )
  }
  if (!isObject(metadata)) return refuse('', metadata)
  for (const key of Object.keys(metadata)) {
    const value = metadata[key]
    if (isEmpty(value)) delete metadata[key]
    else if (value !== undefined && METADATA_TYPES[key] && !METADATA_TYPES[key](value)) refuse(key, value)
  }
}

/** ObjectMeta knows no difference between empty and absent. */
function isEmpty(value: Json | undefined): boolean {
  if (value === null || value === undefined || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return isObject(value) && Object.keys(value).length === 0
}

const isString = (value: Json): boolean => typeof value === 'string'
const isStringMap = (value: Json): boolean => isObject(value) && Object.values(value).every(isString)

const METADATA_TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  name: isString,
  generateName: isString,
  namespace: isString,
  uid: isString,
  resourceVersion: isString,
  labels: isStringMap,
  annotations: isStringMap,
  finalizers: (value) => Array.isArray(value) && value.every(isString),
  ownerReferences: (value) => Array.isArray(value) && value.every(isObject),
}

/** An object in the version of the request. Versions differ in nothing but their name (strategy None). */
export function encodeObject(type: ResourceType, object: JsonObject): JsonObject {
  const apiVersion = apiVersionOf(type)
  return object['apiVersion'] === apiVersion ? object : { ...object, apiVersion }
}

/** True when two objects differ in nothing that a write may change. */
export function isNoOp(before: JsonObject, after: JsonObject): boolean {
  const strip = (object: JsonObject): JsonObject => {
    const { resourceVersion: _rv, managedFields: _managed, ...metadata } = metaOf(object)
    return { ...object, metadata, apiVersion: '' }
  }
  return equal(strip(before), strip(after))
}
