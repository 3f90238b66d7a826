import type { KubeObject, ObjectMeta } from './resource.ts'

type Labels = NonNullable<ObjectMeta['labels']>
type LabelTest = (labels: Labels) => boolean

/**
 * Whether an object is one that a list with these selectors would return. Needed for our own writes: their
 * answers come from outside the watch, so nobody has sorted them yet. Understands what Kubernetes does:
 * `a=b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a` on labels, and `path=value`, `path!=value` on fields.
 */
export function matcherOf(selection: {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}): (object: KubeObject) => boolean {
  const labelTests = requirements(selection.labelSelector).map(labelTest)
  const fieldTests = requirements(selection.fieldSelector).map(fieldTest)
  const { namespace } = selection
  return (object) => {
    if (namespace !== undefined && namespace !== '' && object.metadata.namespace !== namespace) return false
    const labels = object.metadata.labels ?? {}
    return labelTests.every((test) => test(labels)) && fieldTests.every((test) => test(object))
  }
}

/** Splits at the commas that are not inside brackets. */
function requirements(selector: string | undefined): string[] {
  return (selector ?? '')
    .split(/,(?![^(]*\))/)
    .map((requirement) => requirement.trim())
    .filter((requirement) => requirement !== '')
}

function labelTest(requirement: string): LabelTest {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(requirement)
  if (set) {
    const [, key = '', operator, list = ''] = set
    const values = new Set(list.split(',').map((value) => value.trim()))
    const isIn = (labels: Labels): boolean => key in labels && values.has(labels[key] ?? '')
    return operator === 'in' ? isIn : (labels) => !isIn(labels)
  }
  const equality = comparison(requirement)
  if (equality) {
    const { key, value, isNegated } = equality
    return (labels) => (labels[key] === value) !== isNegated
  }
  if (requirement.startsWith('!')) {
    const key = requirement.slice(1).trim()
    return (labels) => !(key in labels)
  }
  return (labels) => requirement in labels
}

function fieldTest(requirement: string): (object: KubeObject) => boolean {
  const equality = comparison(requirement)
  if (!equality) throw new Error(`field selector '${requirement}' is not path=value`)
  const { key, value, isNegated } = equality
  const path = key.split('.').filter((part) => part !== '')
  return (object) => (fieldAt(object, path) === value) !== isNegated
}

function comparison(requirement: string): { key: string; value: string; isNegated: boolean } | undefined {
  const found = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(requirement)
  if (!found) return undefined
  const [, key = '', operator, value = ''] = found
  return { key, value: value.trim(), isNegated: operator === '!=' }
}

/** The field as selectors see it: text, and empty where it is missing. */
function fieldAt(object: unknown, path: readonly string[]): string {
  let value: unknown = object
  for (const part of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? `${value}`
    : ''
}
