import { clone, isObject, type Json, type JsonObject, setOwn } from '../json.ts'
import { fieldSchema, type Schema } from './structural.ts'

/**
 * Fills in the schema's defaults, in place. As the real server does, a null where the schema allows none is
 * dropped first, so that it takes the default or goes away.
 */
export function applyDefaults(schema: Schema, object: JsonObject): void {
  dropNulls(schema, object)
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    if (field.default !== undefined && !Object.hasOwn(object, key)) setOwn(object, key, clone(field.default))
  }
  for (const key of Object.keys(object)) {
    const field = fieldSchema(schema, key)
    if (field) defaultValue(field, object[key])
  }
}

function dropNulls(schema: Schema, object: JsonObject): void {
  for (const key of Object.keys(object)) {
    if (object[key] !== null) continue
    const field = fieldSchema(schema, key)
    if (field && field.nullable !== true) delete object[key]
  }
}

function defaultValue(schema: Schema, value: Json | undefined): void {
  if (Array.isArray(value)) {
    const items = schema.items
    if (!items) return
    value.forEach((item, index) => {
      if (item === null && items.nullable !== true && items.default !== undefined) {
        value[index] = clone(items.default)
      }
      defaultValue(items, value[index])
    })
  } else if (isObject(value)) applyDefaults(schema, value)
}
