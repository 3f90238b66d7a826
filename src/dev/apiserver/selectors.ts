import { get, type JsonObject, metaOf, textOf } from './json.ts'
import { labelValueProblem, qualifiedNameProblem } from './object-meta.ts'
import type { ResourceType } from './resource.ts'
import { badRequest } from './status.ts'

/** True when the object is selected. */
export type Matcher = (object: JsonObject) => boolean

/** The selectors of a list or watch; undefined when everything is selected. */
export function parseSelectors(type: ResourceType, query: URLSearchParams): Matcher | undefined {
  const labels = query.get('labelSelector')
  const fields = query.get('fieldSelector')
  const matchers = [
    ...(labels?.trim() ? parseLabelSelector(labels) : []),
    ...(fields?.trim() ? parseFieldSelector(type, fields) : []),
  ]
  if (matchers.length === 0) return undefined
  return (object) => matchers.every((matches) => matches(object))
}

const TOKEN = /\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)/y

function tokenize(text: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text)
    if (!match?.[1]) throw badRequest(`unable to parse requirement: unexpected text in selector '${text}'`)
    tokens.push(match[1])
  }
  return tokens
}

/** Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>5`. */
function parseLabelSelector(text: string): Matcher[] {
  const tokens = tokenize(text)
  const matchers: Matcher[] = []
  while (tokens.length > 0) {
    matchers.push(parseRequirement(tokens))
    if (tokens.length === 0) break
    if (tokens.shift() !== ',' || tokens.length === 0) {
      throw badRequest(
        `unable to parse requirement: found '${tokens[0] ?? ''}', expected: identifier after ','`,
      )
    }
  }
  return matchers
}

function labelOf(object: JsonObject, key: string): string | undefined {
  const value = get(object, 'metadata', 'labels', key)
  return value === undefined || value === null ? undefined : textOf(value)
}

function parseRequirement(tokens: string[]): Matcher {
  const first = tokens.shift() ?? ''
  if (first === '!') {
    const absent = checkKey(tokens.shift() ?? '')
    return (object) => labelOf(object, absent) === undefined
  }
  const key = checkKey(first)
  const operator = tokens[0]
  if (operator === undefined || operator === ',') return (object) => labelOf(object, key) !== undefined
  tokens.shift()
  return parseOperator(key, operator, tokens)
}

function parseOperator(key: string, operator: string, tokens: string[]): Matcher {
  switch (operator) {
    case '=':
    case '==':
    case '!=': {
      const wanted = checkValue(tokens[0] === undefined || tokens[0] === ',' ? '' : (tokens.shift() ?? ''))
      return (object) => (labelOf(object, key) === wanted) === (operator !== '!=')
    }
    case 'in':
    case 'notin': {
      const values = new Set(parseValues(tokens).map(checkValue))
      return (object) => {
        const value = labelOf(object, key)
        return (value !== undefined && values.has(value)) === (operator === 'in')
      }
    }
    case '>':
    case '<': {
      const bound = Number(tokens.shift())
      if (!Number.isInteger(bound)) throw badRequest(`values[0][${key}]: Invalid value: must be an integer`)
      return (object) => {
        const value = Number.parseInt(labelOf(object, key) ?? '', 10)
        return operator === '>' ? value > bound : value < bound
      }
    }
    default:
      throw badRequest(
        `unable to parse requirement: found '${operator}', expected: in, notin, =, ==, !=, gt, lt, ','`,
      )
  }
}

function parseValues(tokens: string[]): string[] {
  if (tokens[0] !== '(') {
    throw badRequest(`unable to parse requirement: found '${tokens[0] ?? ''}' expected: '('`)
  }
  tokens.shift()
  const values: string[] = []
  for (let token = tokens.shift(); token !== ')'; token = tokens.shift()) {
    if (token === undefined) throw badRequest("unable to parse requirement: found '' expected: ')'")
    if (token !== ',') values.push(token)
  }
  return values
}

function checkKey(key: string): string {
  const problem = qualifiedNameProblem(key)
  if (problem) throw badRequest(`unable to parse requirement: <nil>: Invalid value: "${key}": ${problem}`)
  return key
}

function checkValue(value: string): string {
  const problem = labelValueProblem(value)
  if (problem) throw badRequest(`unable to parse requirement: <nil>: Invalid value: "${value}": ${problem}`)
  return value
}

function parseFieldSelector(type: ResourceType, text: string): Matcher[] {
  return text
    .split(',')
    .filter((term) => term.trim() !== '')
    .map((term) => {
      const match = /^([^=!]+?)(!=|==|=)(.*)$/.exec(term)
      if (!match) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`)
      const [, field = '', operator, value = ''] = match
      const read = fieldReader(type, field.trim())
      return (object: JsonObject) => (read(object) === value) === (operator !== '!=')
    })
}

function fieldReader(type: ResourceType, field: string): (object: JsonObject) => string {
  if (field === 'metadata.name') return (object) => textOf(metaOf(object)['name'])
  if (field === 'metadata.namespace') return (object) => textOf(metaOf(object)['namespace'])
  const read = type.selectableFields.get(field)
  if (read) return read
  throw badRequest(`field label not supported: ${field}`)
}

/** A reader of a dotted path, for the fields of builtin kinds and of `selectableFields`. */
export function pathReader(path: string): (object: JsonObject) => string {
  const keys = path.replace(/^\./, '').split('.')
  return (object) => textOf(get(object, ...keys))
}
