import {
  duplicate,
  type FieldError,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field-error.ts'
import { equal, isObject, type Json, type JsonObject } from '../json.ts'
import { isStringFormat, matchesFormat } from './formats.ts'
import { childPath, fieldSchema, type Schema } from './structural.ts'

/** Checks a value against a schema. The messages are those of kube-apiserver 1.36. */
export function validateSchema(schema: Schema, value: Json, path = ''): FieldError[] {
  const errors: FieldError[] = []
  check(schema, value, path, errors)
  return errors
}

function check(schema: Schema, value: Json, path: string, errors: FieldError[]): void {
  if (value === null && schema.nullable) return
  const isTyped = checkType(schema, value, path, errors)
  if (schema.enum && !schema.enum.some((item) => equal(item, value))) {
    errors.push(notSupported(path, value, schema.enum))
  }
  if (!isTyped) return
  if (typeof value === 'string') checkString(schema, value, path, errors)
  else if (typeof value === 'number') checkNumber(schema, value, path, errors)
  else if (Array.isArray(value)) checkArray(schema, value, path, errors)
  else if (isObject(value)) checkObject(schema, value, path, errors)
  checkCombinations(schema, value, path, errors)
}

function typeName(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function isOfType(schema: Schema, value: Json): boolean {
  if (schema['x-kubernetes-int-or-string']) return typeof value === 'string' || Number.isInteger(value)
  switch (schema.type) {
    case undefined:
    case '':
      return true
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return typeof value === 'number'
    default:
      return typeName(value) === schema.type
  }
}

function checkType(schema: Schema, value: Json, path: string, errors: FieldError[]): boolean {
  if (isOfType(schema, value)) return true
  const wanted = schema['x-kubernetes-int-or-string'] ? 'integer,string' : (schema.type ?? '')
  const expected = schema.type === 'string' && isStringFormat(schema.format) ? schema.format : wanted
  const found = expected === wanted || !Number.isInteger(value) ? typeName(value) : 'int64'
  errors.push(typeInvalid(path, found, `${path} in body must be of type ${expected}: "${found}"`))
  return false
}

function checkString(schema: Schema, value: string, path: string, errors: FieldError[]): void {
  const length = Array.from(value).length
  if (schema.maxLength !== undefined && length > schema.maxLength)
    errors.push(tooLong(path, schema.maxLength))
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`))
  }
  if (schema.pattern !== undefined && !compilePattern(schema.pattern).test(value)) {
    errors.push(invalid(path, value, `${path} in body should match '${schema.pattern}'`))
  }
  if (isStringFormat(schema.format) && !matchesFormat(schema.format, value)) {
    errors.push(typeInvalid(path, value, `${path} in body must be of type ${schema.format}: "${value}"`))
  }
}

const patterns = new Map<string, RegExp>()

/** Go's RE2 syntax and ECMAScript's agree on what schemas use; `(?i)` at the start is the one we translate. */
export function compilePattern(pattern: string): RegExp {
  let compiled = patterns.get(pattern)
  if (!compiled) {
    const caseless = pattern.startsWith('(?i)')
    compiled = new RegExp(caseless ? pattern.slice(4) : pattern, caseless ? 'iu' : 'u')
    patterns.set(pattern, compiled)
  }
  return compiled
}

function checkNumber(schema: Schema, value: number, path: string, errors: FieldError[]): void {
  const { minimum, maximum, multipleOf } = schema
  const wrong = (what: string): void =>
    void errors.push(invalid(path, value, `${path} in body should be ${what}`))
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum && value <= minimum) wrong(`greater than ${minimum}`)
    else if (value < minimum) wrong(`greater than or equal to ${minimum}`)
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum && value >= maximum) wrong(`less than ${maximum}`)
    else if (value > maximum) wrong(`less than or equal to ${maximum}`)
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) wrong(`a multiple of ${multipleOf}`)
  if (schema.format === 'int32' && Math.abs(value + 0.5) > 2 ** 31) {
    errors.push(invalid(path, value, `${path} in body must be of type int32: "${value}"`))
  }
}

function checkArray(schema: Schema, value: readonly Json[], path: string, errors: FieldError[]): void {
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(tooMany(path, value.length, schema.maxItems))
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`))
  }
  const items = schema.items
  if (items) value.forEach((item, index) => check(items, item, `${path}[${index}]`, errors))
  checkListType(schema, value, path, errors)
}

function checkListType(schema: Schema, value: readonly Json[], path: string, errors: FieldError[]): void {
  const listType = schema['x-kubernetes-list-type']
  if (listType !== 'set' && listType !== 'map') return
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const seen = new Set<string>()
  value.forEach((item, index) => {
    const identity: Json =
      listType === 'set' || !isObject(item)
        ? item
        : Object.fromEntries(
            keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, item[key] ?? null]),
          )
    const text = JSON.stringify(identity)
    if (seen.has(text)) errors.push(duplicate(`${path}[${index}]`, identity))
    seen.add(text)
  })
}

function checkObject(schema: Schema, value: JsonObject, path: string, errors: FieldError[]): void {
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) errors.push(required(childPath(path, name)))
  }
  const keys = Object.keys(value)
  if (schema.maxProperties !== undefined && keys.length > schema.maxProperties) {
    errors.push(tooMany(path, keys.length, schema.maxProperties))
  }
  if (schema.minProperties !== undefined && keys.length < schema.minProperties) {
    errors.push(
      invalid(path, keys.length, `${path} in body should have at least ${schema.minProperties} properties`),
    )
  }
  for (const key of keys) {
    const field = fieldSchema(schema, key)
    if (field) check(field, value[key] ?? null, childPath(path, key), errors)
  }
}

function checkCombinations(schema: Schema, value: Json, path: string, errors: FieldError[]): void {
  const passes = (part: Schema): boolean => validateSchema(part, value, path).length === 0
  for (const part of schema.allOf ?? []) check(part, value, path, errors)
  if (schema.anyOf && !schema['x-kubernetes-int-or-string'] && !schema.anyOf.some(passes)) {
    errors.push(invalid(path, value, `${path} in body must validate at least one schema (anyOf)`))
  }
  if (schema.oneOf && schema.oneOf.filter(passes).length !== 1) {
    errors.push(invalid(path, value, `${path} in body must validate one and only one schema (oneOf)`))
  }
  if (schema.not && passes(schema.not)) {
    errors.push(invalid(path, value, `${path} in body must not validate the schema (not)`))
  }
}
