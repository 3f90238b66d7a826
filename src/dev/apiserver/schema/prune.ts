import { isObject, type Json, type JsonObject } from '../json.ts'
import { childPath, fieldSchema, type Schema } from './structural.ts'

const OBJECT_META = new Set([
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
])
const ROOT_FIELDS = new Set(['apiVersion', 'kind', 'metadata'])

/** Removes, in place, what ObjectMeta does not have; returns the paths of what was removed. */
export function pruneMetadata(object: JsonObject): string[] {
  const metadata = object['metadata']
  if (!isObject(metadata)) return []
  const unknown = Object.keys(metadata).filter((key) => !OBJECT_META.has(key))
  for (const key of unknown) delete metadata[key]
  return unknown.map((key) => `metadata.${key}`)
}

/** Removes, in place, the fields that the schema does not name; returns their paths. */
export function prune(schema: Schema, object: JsonObject): string[] {
  const unknown: string[] = []
  pruneObject(schema, object, { path: '', unknown, isResource: true })
  return unknown
}

interface Walk {
  readonly path: string
  readonly unknown: string[]
  readonly isResource: boolean
}

function pruneObject(schema: Schema, object: JsonObject, walk: Walk): void {
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] ?? schema.additionalProperties === true
  for (const key of Object.keys(object)) {
    if (walk.isResource && ROOT_FIELDS.has(key)) continue
    const path = childPath(walk.path, key)
    const field = fieldSchema(schema, key)
    if (field) pruneValue(field, object[key], { ...walk, path })
    else if (!keepsUnknown) {
      delete object[key]
      walk.unknown.push(path)
    }
  }
}

function pruneValue(schema: Schema, value: Json | undefined, walk: Walk): void {
  if (Array.isArray(value)) {
    const items = schema.items
    if (items)
      value.forEach((item, index) => pruneValue(items, item, { ...walk, path: `${walk.path}[${index}]` }))
  } else if (isObject(value)) {
    pruneObject(schema, value, { ...walk, isResource: schema['x-kubernetes-embedded-resource'] === true })
  }
}
