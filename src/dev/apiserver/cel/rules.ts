import { type Environment, Optional, type ParseResult } from '@marcbachmann/cel-js'
import { type FieldError, forbidden, invalid, printValue, required } from '../field-error.ts'
import { equal, isObject, type Json } from '../json.ts'
import { childPath, type Schema, type ValidationRule, valueSchema } from '../schema/structural.ts'
import { type CelType, CelTypes } from './types.ts'

interface CompiledRule {
  readonly source: ValidationRule
  readonly program: ParseResult
  readonly message: ParseResult | undefined
  readonly usesOld: boolean
}

/** The rules of one place in the schema, and of the places below it. */
interface RuleNode {
  readonly type: CelType
  readonly rules: readonly CompiledRule[]
  readonly properties: ReadonlyMap<string, RuleNode>
  readonly values: RuleNode | undefined
  readonly items: RuleNode | undefined
  readonly mapKeys: readonly string[] | undefined
}

/** A schema's CEL rules, compiled once. */
export interface RuleSet {
  /** The complaints about an object; transition rules see `old` and rest when there is none. */
  validate(object: Json, old?: Json): FieldError[]
}

/** Compiles every rule of a schema. `errors` says which of them do not compile. */
export function compileRules(schema: Schema): { readonly rules?: RuleSet; readonly errors: FieldError[] } {
  const errors: FieldError[] = []
  if (!hasRules(schema)) return { errors }
  const types = new CelTypes()
  const compiler = new Compiler(types, errors)
  const root = compiler.node(schema, types.ofRoot(schema), 'spec.validation.openAPIV3Schema')
  if (!root) return { errors }
  const validate = (object: Json, old?: Json): FieldError[] => {
    const found: FieldError[] = []
    run(root, { value: object, old, path: '' }, found)
    return found
  }
  return { rules: { validate }, errors }
}

function children(schema: Schema): Schema[] {
  const values = valueSchema(schema)
  return [
    ...Object.values(schema.properties ?? {}),
    ...(schema.items ? [schema.items] : []),
    ...(values ? [values] : []),
  ]
}

function hasRules(schema: Schema): boolean {
  return (schema['x-kubernetes-validations']?.length ?? 0) > 0 || children(schema).some(hasRules)
}

class Compiler {
  readonly #types: CelTypes
  readonly #errors: FieldError[]
  readonly #environments = new Map<string, Environment>()

  constructor(types: CelTypes, errors: FieldError[]) {
    this.#types = types
    this.#errors = errors
  }

  node(schema: Schema, type: CelType | undefined, path: string): RuleNode | undefined {
    if (!type || !hasRules(schema)) return undefined
    const properties = new Map<string, RuleNode>()
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      const child = this.node(property, this.#types.of(property), `${path}.properties[${key}]`)
      if (child) properties.set(key, child)
    }
    const values = valueSchema(schema)
    return {
      type,
      properties,
      rules: (schema['x-kubernetes-validations'] ?? []).flatMap((rule, index) => {
        return this.#compile(rule, type, `${path}.x-kubernetes-validations[${index}]`)
      }),
      values: values && this.node(values, this.#types.of(values), `${path}.additionalProperties`),
      items: schema.items && this.node(schema.items, this.#types.of(schema.items), `${path}.items`),
      mapKeys: schema['x-kubernetes-list-type'] === 'map' ? schema['x-kubernetes-list-map-keys'] : undefined,
    }
  }

  #compile(rule: ValidationRule, type: CelType, path: string): CompiledRule[] {
    const program = this.#program(rule, type, 'rule', path)
    if (!program) return []
    const message = rule.messageExpression ? this.#program(rule, type, 'messageExpression', path) : undefined
    return [{ source: rule, program, message, usesOld: /\boldSelf\b/.test(rule.rule) }]
  }

  #program(
    rule: ValidationRule,
    type: CelType,
    what: 'rule' | 'messageExpression',
    path: string,
  ): ParseResult | undefined {
    const refuse = (why: string): undefined => {
      this.#errors.push(invalid(`${path}.${what}`, { ...rule }, why))
    }
    const wanted = what === 'rule' ? 'bool' : 'string'
    try {
      const program = this.#environment(type, rule.optionalOldSelf === true).parse(rule[what] ?? '')
      const checked = program.check()
      if (!checked.valid) return refuse(`compilation failed: ${checked.error?.message ?? 'type error'}`)
      if (checked.type === wanted || checked.type?.startsWith('dyn')) return program
      return refuse(
        what === 'rule'
          ? 'cel expression must evaluate to a bool'
          : 'messageExpression must evaluate to a string',
      )
    } catch (error) {
      return refuse(`compilation failed: ${textOf(error)}`)
    }
  }

  #environment(type: CelType, optionalOld: boolean): Environment {
    const key = `${type.name} ${optionalOld}`
    let env = this.#environments.get(key)
    if (!env) {
      env = this.#types.env
        .clone()
        .registerVariable('self', type.name)
        .registerVariable('oldSelf', optionalOld ? `optional<${type.name}>` : type.name)
      this.#environments.set(key, env)
    }
    return env
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

interface Place {
  readonly value: Json
  readonly old: Json | undefined
  readonly path: string
}

function run(node: RuleNode, place: Place, errors: FieldError[]): void {
  const { value, path } = place
  if (value === null) return
  if (node.rules.length > 0) runRules(node, place, errors)
  if (Array.isArray(value)) {
    const items = node.items
    if (!items) return
    value.forEach((item, index) => {
      run(items, { value: item, old: oldItem(node, place.old, item), path: `${path}[${index}]` }, errors)
    })
  } else if (isObject(value)) {
    const old = isObject(place.old) ? place.old : undefined
    for (const key of Object.keys(value)) {
      const child = node.properties.get(key) ?? node.values
      if (child)
        run(child, { value: value[key] ?? null, old: old?.[key], path: childPath(path, key) }, errors)
    }
  }
}

/** The item of the old list that is the same one: by key in a list of type map, otherwise none is. */
function oldItem(node: RuleNode, old: Json | undefined, item: Json): Json | undefined {
  const keys = node.mapKeys
  if (!keys || !Array.isArray(old) || !isObject(item)) return undefined
  return old.find((other) => isObject(other) && keys.every((key) => equal(other[key], item[key])))
}

function runRules(node: RuleNode, place: Place, errors: FieldError[]): void {
  const self = node.type.convert(place.value)
  const old = place.old === undefined || place.old === null ? undefined : node.type.convert(place.old)
  for (const rule of node.rules) {
    if (rule.usesOld && old === undefined && !rule.source.optionalOldSelf) continue
    const variables = rule.source.optionalOldSelf ? { self, oldSelf: optional(old) } : { self, oldSelf: old }
    try {
      if (rule.program(variables) === true) continue
      errors.push(failure(rule, place, messageOf(rule, variables)))
    } catch (error) {
      errors.push(evaluationError(rule.source, place, error))
    }
  }
}

function optional(value: unknown): Optional {
  return value === undefined ? Optional.none() : Optional.of(value)
}

function evaluationError(rule: ValidationRule, place: Place, error: unknown): FieldError {
  const [why = ''] = textOf(error).split('\n', 1)
  const shown = Array.isArray(place.value) ? 'array' : isObject(place.value) ? 'object' : place.value
  const detail = `${why.charAt(0).toLowerCase()}${why.slice(1)} evaluating rule: ${rule.message ?? rule.rule}`
  return invalid(place.path || '<nil>', shown, detail)
}

function messageOf(rule: CompiledRule, variables: Record<string, unknown>): string {
  const { message, rule: source } = rule.source
  const fallback = message?.trim() || `failed rule: ${source.trim()}`
  if (!rule.message) return fallback
  try {
    const text: unknown = rule.message(variables)
    return typeof text === 'string' && text.trim() && !text.includes('\n') ? text.trim() : fallback
  } catch {
    // A message that cannot be made must not hide that the rule failed.
    return fallback
  }
}

function failure(rule: CompiledRule, place: Place, message: string): FieldError {
  const field = `${place.path}${rule.source.fieldPath ?? ''}`.replace(/^\./, '') || '<nil>'
  const shown = typeof place.value === 'object' ? '' : `${printValue(place.value)}: `
  switch (rule.source.reason) {
    case 'FieldValueRequired':
      return required(field, message)
    case 'FieldValueForbidden':
      return forbidden(field, message)
    case 'FieldValueDuplicate':
      return {
        reason: 'FieldValueDuplicate',
        field,
        message: `Duplicate value: ${shown || message}`.replace(/: $/, ''),
      }
    default:
      return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown}${message}` }
  }
}
