import jsonPatch from 'fast-json-patch'
import { clone, equal, isObject, type Json, type JsonObject, setOwn } from './json.ts'
import { ApiError, badRequest } from './status.ts'

/** RFC 7386. Does not change its arguments. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return clone(patch)
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null || value === undefined) delete result[key]
    else setOwn(result, key, mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value))
  }
  return result
}

/** RFC 6902. The real server says no more than this about why a patch does not fit. */
export function applyJsonPatch(target: JsonObject, operations: Json): Json {
  if (!Array.isArray(operations)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    )
  }
  try {
    return jsonPatch.applyPatch(clone(target), operations as unknown as jsonPatch.Operation[], true)
      .newDocument
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
  }
}

/** How lists of the builtin kinds are merged: the key that tells their items apart, by field name. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  addresses: 'type',
  conditions: 'type',
  containers: 'name',
  env: 'name',
  ephemeralContainers: 'name',
  imagePullSecrets: 'name',
  initContainers: 'name',
  ownerReferences: 'uid',
  ports: 'containerPort',
  secrets: 'name',
  volumeDevices: 'devicePath',
  volumeMounts: 'mountPath',
  volumes: 'name',
}
/** Lists of plain values that are merged as sets. */
const SET_FIELDS = new Set(['finalizers', 'podCIDRs'])

/**
 * Strategic merge: as a merge patch, but the lists that the Go types mark so are merged item by item.
 * Knows `$patch` (delete, replace) and `$deleteFromPrimitiveList`; `$setElementOrder` and `$retainKeys` only
 * tidy up, so they are dropped.
 */
export function strategicMerge(target: Json | undefined, patch: Json, field = ''): Json {
  if (Array.isArray(patch)) return mergeLists(target, patch, field)
  if (!isObject(patch)) return clone(patch)
  if (patch['$patch'] === 'replace') return withoutDirectives(patch)
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (key.startsWith('$')) removePrimitives(result, key, value)
    else if (value === null || value === undefined) delete result[key]
    else setOwn(result, key, strategicMerge(Object.hasOwn(result, key) ? result[key] : undefined, value, key))
  }
  return result
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$')))
}

function removePrimitives(result: JsonObject, directive: string, value: Json | undefined): void {
  const [name, field = ''] = directive.split('/')
  const list = result[field]
  if (name !== '$deleteFromPrimitiveList' || !Array.isArray(list) || !Array.isArray(value)) return
  result[field] = list.filter((item) => !value.includes(item))
}

function mergeLists(target: Json | undefined, patch: Json[], field: string): Json {
  const current = Array.isArray(target) ? target : []
  if (SET_FIELDS.has(field)) return [...current, ...patch.filter((item) => !current.includes(item))]
  const key = MERGE_KEYS[field]
  const [first] = patch
  if (key === undefined || !isObject(first) || first['$patch'] === 'replace') {
    return patch.filter((item) => !isObject(item) || item['$patch'] === undefined).map((item) => clone(item))
  }
  const result = [...current]
  for (const item of patch) {
    const index = result.findIndex(
      (other) => isObject(item) && isObject(other) && equal(other[key], item[key]),
    )
    if (isObject(item) && item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1)
    } else if (index >= 0) result[index] = strategicMerge(result[index], item)
    else result.push(clone(item))
  }
  return result
}
