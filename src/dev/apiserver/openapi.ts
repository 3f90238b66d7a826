import { createHash } from 'node:crypto'
import { type Json, type JsonObject, textOf } from './json.ts'
import type { Registry } from './registry.ts'
import { apiVersionOf, type ResourceType } from './resource.ts'
import { VERSION } from './discovery.ts'

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
const OWNER = 'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference'
const TIME = 'io.k8s.apimachinery.pkg.apis.meta.v1.Time'
const INFO = { title: 'Kubernetes', version: textOf(VERSION['gitVersion']) }

function ref(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` }
}

function field(type: string, description: string): JsonObject {
  return { type, description }
}

const STRING_MAP = { type: 'object', additionalProperties: { type: 'string', default: '' } }

const COMMON_SCHEMAS: JsonObject = {
  [TIME]: { type: 'string', format: 'date-time', description: 'Time is a point in time, in RFC 3339.' },
  [OWNER]: {
    type: 'object',
    description:
      'OwnerReference contains enough information to let you identify an owning object. An owning object must be in the same namespace as the dependent, or be cluster-scoped, so there is no namespace field.',
    required: ['apiVersion', 'kind', 'name', 'uid'],
    properties: {
      apiVersion: field('string', 'API version of the referent.'),
      blockOwnerDeletion: field(
        'boolean',
        'If true, AND if the owner has the "foregroundDeletion" finalizer, then the owner cannot be deleted until this reference is removed.',
      ),
      controller: field('boolean', 'If true, this reference points to the managing controller.'),
      kind: field('string', 'Kind of the referent.'),
      name: field('string', 'Name of the referent.'),
      uid: field('string', 'UID of the referent.'),
    },
  },
  [META]: {
    type: 'object',
    description:
      'ObjectMeta is metadata that all persisted resources must have, which includes all objects users must create.',
    properties: {
      annotations: { ...STRING_MAP, description: 'Annotations is an unstructured key value map.' },
      creationTimestamp: {
        allOf: [ref(TIME)],
        description: 'When this object was created. Set by the server.',
      },
      deletionGracePeriodSeconds: {
        type: 'integer',
        format: 'int64',
        description: 'Set with deletionTimestamp.',
      },
      deletionTimestamp: {
        allOf: [ref(TIME)],
        description: 'When this object will be deleted. Set by the server.',
      },
      finalizers: {
        type: 'array',
        items: { type: 'string' },
        description:
          'Must be empty before the object is deleted. Each entry names the component to remove it.',
      },
      generateName: field('string', 'A prefix to generate a unique name from, if name is not provided.'),
      generation: {
        type: 'integer',
        format: 'int64',
        description: 'Counts the generations of the desired state.',
      },
      labels: { ...STRING_MAP, description: 'Map of string keys and values to organize and select objects.' },
      managedFields: { type: 'array', items: { type: 'object' }, description: 'Not kept by this server.' },
      name: field('string', 'Name must be unique within a namespace. Cannot be updated.'),
      namespace: field('string', 'Namespace defines the space within which each name must be unique.'),
      ownerReferences: {
        type: 'array',
        items: ref(OWNER),
        description:
          'List of objects depended by this object. If ALL are deleted, this one is garbage collected.',
      },
      resourceVersion: field(
        'string',
        'An opaque value that represents the internal version of this object.',
      ),
      selfLink: field(
        'string',
        'Deprecated: selfLink is a legacy read-only field that is no longer populated.',
      ),
      uid: field('string', 'UID is the unique in time and space value for this object. Set by the server.'),
    },
  },
}

/** The index of OpenAPI v3 documents, and each document. Kept until what is served changes. */
export class OpenApi {
  readonly #registry: Registry
  #generation = -1
  #documents = new Map<string, string>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** The text for a path below /openapi/, or undefined. */
  get(path: string): string | undefined {
    if (path === '/openapi/v2')
      return JSON.stringify({ swagger: '2.0', info: INFO, paths: {}, definitions: {} })
    if (path === '/openapi/v3') return JSON.stringify({ paths: this.#index() })
    return this.#document(path.replace('/openapi/v3/', ''))
  }

  #index(): JsonObject {
    const index: JsonObject = {}
    for (const [group, versions] of this.#registry.groups()) {
      for (const version of versions) {
        const path = group ? `apis/${group}/${version}` : `api/${version}`
        const hash = createHash('sha256')
          .update(this.#document(path) ?? '')
          .digest('hex')
          .slice(0, 32)
        index[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
      }
    }
    return index
  }

  #document(path: string): string | undefined {
    if (this.#generation !== this.#registry.generation) {
      this.#documents = new Map()
      this.#generation = this.#registry.generation
    }
    const types = this.#registry.inGroupVersion(path.replace(/^apis?\//, ''))
    if (types.length === 0) return undefined
    let text = this.#documents.get(path)
    if (text === undefined) {
      text = JSON.stringify(document(types))
      this.#documents.set(path, text)
    }
    return text
  }
}

function document(types: readonly ResourceType[]): JsonObject {
  const schemas: JsonObject = { ...COMMON_SCHEMAS }
  const paths: JsonObject = {}
  for (const type of types) {
    const name = schemaName(type)
    schemas[name] = objectSchema(type)
    schemas[`${name}List`] = listSchema(type, name)
    Object.assign(paths, pathsOf(type))
  }
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas } }
}

function schemaName(type: ResourceType): string {
  if (!type.custom) return `io.k8s.api.${type.group.split('.')[0] || 'core'}.${type.version}.${type.kind}`
  return `${type.group.split('.').reverse().join('.')}.${type.version}.${type.kind}`
}

function kindOf(type: ResourceType, kind = type.kind): JsonObject {
  return { group: type.group, version: type.version, kind }
}

const API_VERSION = field(
  'string',
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
)
const KIND = field(
  'string',
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
)

function objectSchema(type: ResourceType): JsonObject {
  const metadata = {
    description:
      "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    allOf: [ref(META)],
  }
  return {
    ...(type.schema as JsonObject),
    properties: {
      ...(type.schema.properties as JsonObject | undefined),
      apiVersion: API_VERSION,
      kind: KIND,
      metadata,
    },
    'x-kubernetes-group-version-kind': [kindOf(type)],
  }
}

function listSchema(type: ResourceType, name: string): JsonObject {
  return {
    type: 'object',
    description: `${type.listKind} is a list of ${type.kind}`,
    required: ['items'],
    properties: {
      apiVersion: API_VERSION,
      items: { type: 'array', items: ref(name), description: `List of ${type.plural}.` },
      kind: KIND,
      metadata: { type: 'object' },
    },
    'x-kubernetes-group-version-kind': [kindOf(type, type.listKind)],
  }
}

const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
}))

/** The paths by which clients find out that dryRun and fieldValidation are understood. */
function pathsOf(type: ResourceType): JsonObject {
  const root = type.group ? `/apis/${apiVersionOf(type)}` : `/api/${type.version}`
  const collection = `${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.plural}`
  const operation = (action: string, parameters: Json[]): JsonObject => ({
    operationId: `${action}${type.group.replaceAll('.', '')}${type.version}${type.kind}`,
    parameters,
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindOf(type),
  })
  return {
    [collection]: { get: operation('list', []), post: operation('post', WRITE_PARAMETERS) },
    [`${collection}/{name}`]: {
      get: operation('get', []),
      put: operation('put', WRITE_PARAMETERS),
      patch: operation('patch', WRITE_PARAMETERS),
      delete: operation('delete', WRITE_PARAMETERS.slice(0, 1)),
    },
  }
}
