import { Buffer } from 'node:buffer'
import { Environment } from '@marcbachmann/cel-js'
import { isObject, type Json, textOf } from '../json.ts'
import { type Schema, valueSchema } from '../schema/structural.ts'
import { addKubernetesFunctions } from './functions.ts'

/** How values of one schema look in CEL: the type's name, and the way from JSON to it. */
export interface CelType {
  readonly name: string
  readonly convert: (value: Json) => unknown
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
)
const STRING: CelType = { name: 'string', convert: (value) => value }
const DYNAMIC: CelType = { name: 'dyn', convert: toDynamic }

/** A property's name as CEL writes it, or undefined when CEL cannot reach it. */
export function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__')
  return IDENTIFIER.test(escaped) ? escaped : undefined
}

function toDynamic(value: Json): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (Array.isArray(value)) return value.map((item) => toDynamic(item))
  if (isObject(value)) return new Map(Object.entries(value).map(([key, item]) => [key, toDynamic(item)]))
  return value
}

/**
 * Builds the CEL types of one schema, so that a rule naming a field that does not exist is refused when the
 * CRD is created and not when the first object is.
 */
export class CelTypes {
  readonly env: Environment
  readonly #bySchema = new Map<Schema, CelType>()
  #next = 0

  constructor() {
    this.env = new Environment({ enableOptionalTypes: true })
    addKubernetesFunctions(this.env)
  }

  /** The type of a resource: besides the schema's fields it has apiVersion, kind and the name. */
  ofRoot(schema: Schema): CelType {
    const metadata: Schema = {
      type: 'object',
      properties: { name: { type: 'string' }, generateName: { type: 'string' } },
    }
    const string: Schema = { type: 'string' }
    return this.#object(schema, { ...schema.properties, apiVersion: string, kind: string, metadata })
  }

  /** The type of a schema; undefined where CEL has no access. */
  of(schema: Schema): CelType | undefined {
    const known = this.#bySchema.get(schema)
    if (known) return known
    const type = this.#build(schema)
    if (!type) return undefined
    const found = schema.nullable
      ? { name: 'dyn', convert: (value: Json) => (value === null ? null : type.convert(value)) }
      : type
    this.#bySchema.set(schema, found)
    return found
  }

  #build(schema: Schema): CelType | undefined {
    if (schema['x-kubernetes-int-or-string']) return DYNAMIC
    switch (schema.type) {
      case 'string':
        return stringType(schema)
      case 'boolean':
        return { name: 'bool', convert: (value) => value }
      case 'integer':
        return { name: 'int', convert: (value) => (typeof value === 'number' ? BigInt(value) : value) }
      case 'number':
        return { name: 'double', convert: (value) => value }
      case 'array':
        return schema.items ? this.#list(schema.items) : undefined
      case 'object': {
        const values = valueSchema(schema)
        if (values) return this.#map(values)
        if (schema['x-kubernetes-embedded-resource']) return this.ofRoot(schema)
        return this.#object(schema, schema.properties ?? {})
      }
      default:
        return undefined
    }
  }

  #list(items: Schema): CelType | undefined {
    const item = this.of(items)
    if (!item) return undefined
    return {
      name: `list<${item.name}>`,
      convert: (value) => (Array.isArray(value) ? value.map((each) => item.convert(each)) : value),
    }
  }

  #map(values: Schema): CelType | undefined {
    const item = this.of(values)
    if (!item) return undefined
    const convert = (value: Json): unknown =>
      isObject(value) ? new Map(Object.entries(value).map(([key, each]) => [key, item.convert(each)])) : value
    return { name: `map<string, ${item.name}>`, convert }
  }

  #object(schema: Schema, properties: Readonly<Record<string, Schema>>): CelType {
    const fields: Record<string, string> = {}
    const converters = new Map<string, { readonly as: string; readonly convert: (value: Json) => unknown }>()
    for (const [key, property] of Object.entries(properties)) {
      const as = escapeName(key)
      const type = this.of(property)
      if (as === undefined || !type) continue
      fields[as] = type.name
      converters.set(key, { as, convert: type.convert })
    }
    const name = `object${this.#next++}`
    const ctor = class {}
    this.env.registerType(name, { ctor, fields })
    this.env.registerOperator(`${name} == ${name}`, sameFields)
    const convert = (value: Json): unknown => {
      if (!isObject(value)) return value
      const converted: Record<string, unknown> = new ctor() as Record<string, unknown>
      for (const [key, { as, convert: convertField }] of converters) {
        const field = Object.hasOwn(value, key) ? value[key] : undefined
        if (field !== undefined) converted[as] = convertField(field)
      }
      return converted
    }
    const type = { name, convert }
    if (schema.properties === properties) this.#bySchema.set(schema, type)
    return type
  }
}

function stringType(schema: Schema): CelType {
  switch (schema.format) {
    case 'byte':
      return { name: 'bytes', convert: (value) => new Uint8Array(Buffer.from(textOf(value), 'base64')) }
    case 'date':
    case 'date-time':
      return { name: 'google.protobuf.Timestamp', convert: (value) => new Date(textOf(value)) }
    default:
      return STRING
  }
}

/** Equality of two converted values of the same type. */
function sameFields(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime()
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && sameFields(value, b.get(key)))
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameFields(item, b[index]))
  }
  return typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && sameEntries(a, b)
}

function sameEntries(a: object, b: object): boolean {
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return left.length === right.size && left.every(([key, value]) => sameFields(value, right.get(key)))
}
