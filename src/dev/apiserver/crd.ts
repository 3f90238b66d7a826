import { ageOf, timestamp } from './age.ts'
import { compileRules } from './cel/rules.ts'
import { type FieldError, invalid, required } from './field-error.ts'
import {
  clone,
  equal,
  get,
  getObjects,
  getString,
  isObject,
  type Json,
  type JsonObject,
  metaOf,
  textOf,
} from './json.ts'
import { compileJsonPath } from './json-path.ts'
import type { LooseResource } from './builtin.ts'
import type { Column, ResourceType } from './resource.ts'
import type { Schema } from './schema/structural.ts'
import { pathReader } from './selectors.ts'
import { AGE_COLUMN, NAME_COLUMN } from './table.ts'

const ROOT_METADATA: Schema = { type: 'object' }

/** The kind CustomResourceDefinition itself. */
export const CRD_RESOURCE: LooseResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  hasStatus: true,
  hasGeneration: true,
  returnsDeleted: false,
  description: 'CustomResourceDefinition represents a resource that should be exposed on the API server.',
  prepare: prepareCrd,
  validate: validateCrd,
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** Fills in the names a CRD may leave out, and says in its status that it is served. */
function prepareCrd(crd: JsonObject, _old: JsonObject | undefined, now: number): void {
  const spec = crd['spec']
  if (!isObject(spec)) return
  const names = isObject(spec['names']) ? spec['names'] : {}
  const kind = getString(names, 'kind') ?? ''
  names['singular'] ??= kind.toLowerCase()
  names['listKind'] ??= `${kind}List`
  spec['conversion'] ??= { strategy: 'None' }
  const condition = (type: string, reason: string, message: string): JsonObject => {
    const known = getObjects(crd, 'status', 'conditions').find((item) => item['type'] === type)
    return known ?? { type, status: 'True', lastTransitionTime: timestamp(now), reason, message }
  }
  crd['status'] = {
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    acceptedNames: clone(names),
    storedVersions: getObjects(spec, 'versions')
      .filter((version) => version['storage'] === true)
      .map((version) => textOf(version['name'])),
  }
}

function validateCrd(crd: JsonObject): FieldError[] {
  const group = getString(crd, 'spec', 'group') ?? ''
  const plural = getString(crd, 'spec', 'names', 'plural') ?? ''
  const name = getString(crd, 'metadata', 'name') ?? ''
  const versions = getObjects(crd, 'spec', 'versions')
  const scope = get(crd, 'spec', 'scope')
  const errors: FieldError[] = []
  if (!group) errors.push(required('spec.group'))
  if (!plural) errors.push(required('spec.names.plural'))
  if (!getString(crd, 'spec', 'names', 'kind')) errors.push(required('spec.names.kind'))
  if (scope !== 'Namespaced' && scope !== 'Cluster') errors.push(required('spec.scope'))
  if (name !== `${plural}.${group}`) {
    errors.push(invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group'))
  }
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(
      invalid(
        'spec.versions',
        versions.map((v) => v['name'] ?? null),
        'must have exactly one version marked as storage version',
      ),
    )
  }
  versions.forEach((version, index) => {
    const schema = get(version, 'schema', 'openAPIV3Schema')
    const path = `spec.versions[${index}]`
    if (!isObject(schema)) errors.push(required(`${path}.schema.openAPIV3Schema`))
    else if (version['served'] !== false) {
      errors.push(
        ...schemaErrors(schema as Schema),
        ...columnErrors(version, `${path}.additionalPrinterColumns`),
      )
    }
  })
  return errors
}

function schemaErrors(schema: Schema): FieldError[] {
  const path = 'spec.validation.openAPIV3Schema'
  const type =
    schema.type === 'object' ? [] : [invalid(`${path}.type`, schema.type ?? '', 'must be object at the root')]
  return [...type, ...compile(schema).errors]
}

function columnErrors(version: JsonObject, path: string): FieldError[] {
  return getObjects(version, 'additionalPrinterColumns').flatMap((column, index) => {
    try {
      compileJsonPath(textOf(column['jsonPath'] ?? ''))
      return []
    } catch (error) {
      return [
        invalid(
          `${path}[${index}].jsonPath`,
          column['jsonPath'],
          error instanceof Error ? error.message : '',
        ),
      ]
    }
  })
}

/** The last schemas whose rules were compiled, so that checking a CRD and serving it compile once. */
const compiled: { schema: Schema; result: ReturnType<typeof compileRules> }[] = []

function compile(schema: Schema): ReturnType<typeof compileRules> {
  const known = compiled.find((entry) => equal(entry.schema as Json, schema as Json))
  if (known) return known.result
  const result = compileRules(schema)
  compiled.unshift({ schema, result })
  compiled.length = Math.min(compiled.length, 8)
  return result
}

/** The types that a CRD makes served, one a version. */
export function typesOfCrd(crd: JsonObject): ResourceType[] {
  return getObjects(crd, 'spec', 'versions')
    .filter((version) => version['served'] !== false)
    .map((version) => typeOfVersion(crd, version))
}

function typeOfVersion(crd: JsonObject, version: JsonObject): ResourceType {
  const names = get(crd, 'spec', 'names')
  const kind = getString(names, 'kind') ?? ''
  const declared = get(version, 'schema', 'openAPIV3Schema') as Schema
  const schema: Schema = { ...declared, properties: { ...declared.properties, metadata: ROOT_METADATA } }
  const { rules } = compile(declared)
  return {
    group: getString(crd, 'spec', 'group') ?? '',
    version: getString(version, 'name') ?? '',
    kind,
    listKind: getString(names, 'listKind') ?? `${kind}List`,
    plural: getString(names, 'plural') ?? '',
    singular: getString(names, 'singular') ?? kind.toLowerCase(),
    shortNames: strings(get(names, 'shortNames')),
    categories: strings(get(names, 'categories')),
    namespaced: get(crd, 'spec', 'scope') === 'Namespaced',
    hasStatus: get(version, 'subresources', 'status') !== undefined,
    hasGeneration: true,
    schema,
    enforcesSchema: true,
    rules,
    columns: columnsOf(version),
    selectableFields: selectableFieldsOf(version),
    custom: true,
    returnsDeleted: false,
  }
}

function selectableFieldsOf(version: JsonObject): Map<string, (object: JsonObject) => string> {
  return new Map(
    getObjects(version, 'selectableFields').map((field) => {
      const path = textOf(field['jsonPath'] ?? '').replace(/^\./, '')
      return [path, pathReader(path)]
    }),
  )
}

function columnsOf(version: JsonObject): Column[] {
  const columns = getObjects(version, 'additionalPrinterColumns')
  if (columns.length === 0) return [NAME_COLUMN, { ...AGE_COLUMN, type: 'date' }]
  return [NAME_COLUMN, ...columns.map(columnOf)]
}

function columnOf(column: JsonObject): Column {
  const path = textOf(column['jsonPath'] ?? '')
  const type = getString(column, 'type') ?? 'string'
  const read = compileJsonPath(path)
  return {
    name: textOf(column['name'] ?? ''),
    type,
    format: getString(column, 'format') ?? '',
    description:
      getString(column, 'description') ?? `Custom resource definition column (in JSONPath format): ${path}`,
    priority: Number(column['priority'] ?? 0),
    cell: (object, now) => cellOf(type, read(object), now),
  }
}

function cellOf(type: string, value: Json | undefined, now: number): Json {
  if (value === undefined) return null
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? ageOf(value, now) : '<invalid>'
    default:
      return textOf(value)
  }
}

/** True when a change of the CRD changes what is served. */
export function servesDifferently(before: JsonObject, after: JsonObject): boolean {
  return !equal(before['spec'], after['spec']) || metaOf(before)['uid'] !== metaOf(after)['uid']
}
