import { equal, isObject, type Json, type JsonObject } from './json.ts'

type Step = (values: Json[]) => Json[]

const STEP =
  /\.\.|\.?\[\?\(\s*@((?:\.[^=!<>\s)]+)?)\s*(?:(==|!=|<=|>=|<|>)\s*(?:"([^"]*)"|'([^']*)'|([^\s)]+))\s*)?\)\]|\.?\[(?:'([^']*)'|"([^"]*)"|(-?\d+)|(\*))\]|\.(\*)|\.((?:\\.|[^.[\\])+)/y

/**
 * Compiles the JSONPath of a printer column: fields, indices, `*` and filters such as
 * `.status.conditions[?(@.type=="Ready")].status`. Throws when it is something else.
 */
export function compileJsonPath(path: string): (object: JsonObject) => Json | undefined {
  const text = path.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '')
  const steps: Step[] = []
  // A copy, because a filter's path is compiled in the midst of this one.
  const step = new RegExp(STEP)
  while (step.lastIndex < text.length) {
    const match = step.exec(text)
    if (!match || match[0] === '..') throw new Error(`unsupported JSONPath ${path}`)
    steps.push(stepOf(match))
  }
  return (object) => steps.reduce<Json[]>((values, take) => take(values), [object])[0]
}

function stepOf(match: RegExpExecArray): Step {
  const [
    ,
    filtered,
    operator,
    double,
    single,
    bare,
    quoted,
    doubleQuoted,
    index,
    allItems,
    allFields,
    field,
  ] = match
  if (allItems ?? allFields) return (values) => values.flatMap(childrenOf)
  if (index !== undefined) {
    const at = Number(index)
    return (values) => values.flatMap((value) => (Array.isArray(value) ? (value.at(at) ?? []) : []))
  }
  const name = quoted ?? doubleQuoted ?? field?.replace(/\\(.)/g, '$1')
  if (name !== undefined) return (values) => values.flatMap((value) => childOf(value, name))
  const read = filtered ? compileJsonPath(filtered) : undefined
  const wanted = literalOf(double ?? single, bare)
  return (values) =>
    values.flatMap(childrenOf).filter((item) => {
      const found = read && isObject(item) ? read(item) : read ? undefined : item
      return found !== undefined && (operator === undefined || compare(found, operator, wanted))
    })
}

function childrenOf(value: Json): Json[] {
  if (Array.isArray(value)) return value
  return isObject(value) ? Object.values(value) : []
}

function childOf(value: Json, name: string): Json[] {
  if (!isObject(value) || !Object.hasOwn(value, name)) return []
  const child = value[name]
  return child === undefined ? [] : [child]
}

function literalOf(text: string | undefined, bare: string | undefined): Json {
  if (text !== undefined) return text
  if (bare === undefined) return null
  try {
    return JSON.parse(bare) as Json
  } catch {
    // An unquoted word: compare it as a string.
    return bare
  }
}

function compare(found: Json, operator: string, wanted: Json): boolean {
  if (operator === '==') return equal(found, wanted)
  if (operator === '!=') return !equal(found, wanted)
  const order = Number(found) - Number(wanted)
  if (operator.startsWith('<')) return order < 0 || (operator === '<=' && order === 0)
  return order > 0 || (operator === '>=' && order === 0)
}
