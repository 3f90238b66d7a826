import { type FieldError, forbidden, invalid, required } from './field-error.ts'
import { equal, getObjects, isObject, type Json, type JsonObject, metaOf, textOf } from './json.ts'

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const NAME_PART_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
const MAX_ANNOTATION_BYTES = 256 * 1024

/** What is wrong with a DNS-1123 subdomain, or undefined. */
export function subdomainProblem(name: string): string | undefined {
  if (name.length > 253) return 'must be no more than 253 bytes'
  return SUBDOMAIN.test(name) ? undefined : SUBDOMAIN_RULE
}

/** What is wrong with a DNS-1123 label, or undefined. */
export function labelProblem(name: string): string | undefined {
  if (name.length > 63) return 'must be no more than 63 bytes'
  return LABEL.test(name) ? undefined : LABEL_RULE
}

/** What is wrong with the key of a label or annotation, or undefined. */
export function qualifiedNameProblem(key: string): string | undefined {
  const [first = '', second, ...more] = key.split('/')
  if (more.length > 0) return `a valid label key must consist of a name and an optional prefix`
  const name = second ?? first
  if (second !== undefined && subdomainProblem(first)) return `prefix part ${subdomainProblem(first)}`
  if (name === '') return 'name part must be non-empty'
  if (name.length > 63) return 'name part must be no more than 63 bytes'
  return QUALIFIED.test(name) ? undefined : NAME_PART_RULE
}

/** What is wrong with the value of a label, or undefined. */
export function labelValueProblem(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 bytes'
  return LABEL_VALUE.test(value) ? undefined : LABEL_VALUE_RULE
}

/** Checks the metadata of an object, new or changed. */
export function validateMetadata(
  object: JsonObject,
  old: JsonObject | undefined,
  validateName: (name: string) => string | undefined = subdomainProblem,
): FieldError[] {
  const metadata = metaOf(object)
  const errors = [
    ...validateOwnName(metadata, validateName),
    ...validateLabels(metadata),
    ...validateAnnotations(metadata),
    ...validateOwners(metadata),
    ...validateFinalizers(metadata),
  ]
  return old ? [...errors, ...validateChange(metadata, metaOf(old))] : errors
}

function validateOwnName(
  metadata: JsonObject,
  problemOf: (name: string) => string | undefined,
): FieldError[] {
  const name = metadata['name']
  if (typeof name !== 'string' || name === '') {
    return [required('metadata.name', 'name or generateName is required')]
  }
  const problem = problemOf(name)
  return problem ? [invalid('metadata.name', name, problem)] : []
}

function entriesOf(map: Json | undefined): [string, Json][] {
  return isObject(map) ? Object.entries(map) : []
}

function validateLabels(metadata: JsonObject): FieldError[] {
  return entriesOf(metadata['labels']).flatMap(([key, value]) => {
    const keyProblem = qualifiedNameProblem(key)
    const valueProblem = labelValueProblem(textOf(value))
    return [
      ...(keyProblem ? [invalid('metadata.labels', key, keyProblem)] : []),
      ...(valueProblem ? [invalid('metadata.labels', value, valueProblem)] : []),
    ]
  })
}

function validateAnnotations(metadata: JsonObject): FieldError[] {
  const entries = entriesOf(metadata['annotations'])
  const bytes = entries.reduce((sum, [key, value]) => sum + key.length + Buffer.byteLength(textOf(value)), 0)
  return [
    ...entries.flatMap(([key]) => {
      const problem = qualifiedNameProblem(key.toLowerCase())
      return problem ? [invalid('metadata.annotations', key, problem)] : []
    }),
    ...(bytes > MAX_ANNOTATION_BYTES
      ? [
          {
            reason: 'FieldValueTooLong',
            field: 'metadata.annotations',
            message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
          },
        ]
      : []),
  ]
}

function validateOwners(metadata: JsonObject): FieldError[] {
  const path = 'metadata.ownerReferences'
  const owners = getObjects(metadata, 'ownerReferences')
  const missing = owners.flatMap((owner) => [
    ...(owner['apiVersion'] ? [] : [invalid(`${path}.apiVersion`, '', 'version must not be empty')]),
    ...(owner['kind'] ? [] : [invalid(`${path}.kind`, '', 'must not be empty')]),
    ...(owner['name'] ? [] : [invalid(`${path}.name`, '', 'must not be empty')]),
    ...(owner['uid'] ? [] : [invalid(`${path}.uid`, '', 'must not be empty')]),
  ])
  if (owners.filter((owner) => owner['controller'] === true).length <= 1) return missing
  return [...missing, invalid(path, owners, 'Only one reference can have Controller set to true.')]
}

/** The finalizers of an object. */
export function finalizersOf(object: JsonObject): string[] {
  const list = metaOf(object)['finalizers']
  return Array.isArray(list) ? list.map(textOf) : []
}

function validateFinalizers(metadata: JsonObject): FieldError[] {
  return finalizersOf({ metadata }).flatMap((name) => {
    const problem = qualifiedNameProblem(name)
    return problem ? [invalid('metadata.finalizers', name, problem)] : []
  })
}

/** Names, uid and birth cannot change; while an object is being deleted no finalizer can be added. */
function validateChange(metadata: JsonObject, old: JsonObject): FieldError[] {
  const errors: FieldError[] = []
  for (const key of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    if (!equal(metadata[key], old[key])) {
      errors.push(invalid(`metadata.${key}`, metadata[key], 'field is immutable'))
    }
  }
  if (old['deletionTimestamp'] !== undefined) {
    const before = new Set(finalizersOf({ metadata: old }))
    const added = finalizersOf({ metadata }).filter((name) => !before.has(name))
    if (added.length > 0) {
      const list = `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`
      const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`
      errors.push(forbidden('metadata.finalizers', why))
    }
  }
  return errors
}
