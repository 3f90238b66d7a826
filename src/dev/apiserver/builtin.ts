import { Buffer } from 'node:buffer'
import { BUILTIN_COLUMNS } from './builtin-columns.ts'
import { get, isObject, type JsonObject, metaOf, textOf } from './json.ts'
import { labelProblem } from './object-meta.ts'
import type { ResourceType } from './resource.ts'
import type { Schema } from './schema/structural.ts'
import { pathReader } from './selectors.ts'
import { AGE_COLUMN, NAME_COLUMN } from './table.ts'

/** A kind that is served without a CustomResourceDefinition. Its schema is loose: nothing is checked. */
export interface LooseResource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly description?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly hasStatus?: boolean
  readonly hasGeneration?: boolean
  readonly returnsDeleted?: boolean
  readonly selectableFields?: readonly string[]
  readonly prepare?: ResourceType['prepare']
  readonly validate?: ResourceType['validate']
  readonly validateName?: ResourceType['validateName']
}

const ANYTHING: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

/** Makes a served type of a loose description. */
export function looseResource(resource: LooseResource): ResourceType {
  const { prepare, validate, validateName } = resource
  return {
    group: resource.group,
    version: resource.version,
    kind: resource.kind,
    listKind: `${resource.kind}List`,
    plural: resource.plural,
    singular: resource.kind.toLowerCase(),
    shortNames: resource.shortNames ?? [],
    categories: resource.categories ?? [],
    namespaced: resource.namespaced,
    hasStatus: resource.hasStatus ?? false,
    hasGeneration: resource.hasGeneration ?? false,
    schema: {
      ...ANYTHING,
      description:
        resource.description ?? `${resource.kind}, kept by the embedded API server without a schema.`,
      properties: { spec: ANYTHING, status: ANYTHING },
    },
    enforcesSchema: false,
    rules: undefined,
    columns: BUILTIN_COLUMNS[resource.plural] ?? [NAME_COLUMN, AGE_COLUMN],
    selectableFields: new Map((resource.selectableFields ?? []).map((path) => [path, pathReader(path)])),
    custom: false,
    returnsDeleted: resource.returnsDeleted ?? false,
    ...(prepare ? { prepare } : {}),
    ...(validate ? { validate } : {}),
    ...(validateName ? { validateName } : {}),
  }
}

const EVENT_FIELDS = [
  ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
    (key) => `involvedObject.${key}`,
  ),
  'reason',
  'reportingComponent',
  'source',
  'type',
]

function prepareNamespace(namespace: JsonObject): void {
  const metadata = metaOf(namespace)
  const labels = isObject(metadata['labels']) ? metadata['labels'] : {}
  metadata['labels'] = { ...labels, 'kubernetes.io/metadata.name': metadata['name'] ?? '' }
  namespace['spec'] ??= { finalizers: ['kubernetes'] }
  const terminating = metadata['deletionTimestamp'] !== undefined
  namespace['status'] = { phase: terminating ? 'Terminating' : 'Active' }
}

function prepareSecret(secret: JsonObject): void {
  secret['type'] ||= 'Opaque'
  const plain = secret['stringData']
  if (!isObject(plain)) return
  const data = get(secret, 'data')
  const encoded = Object.entries(plain).map(([key, value]) => [
    key,
    Buffer.from(textOf(value)).toString('base64'),
  ])
  secret['data'] = { ...(isObject(data) ? data : {}), ...Object.fromEntries(encoded) }
  delete secret['stringData']
}

function preparePod(pod: JsonObject): void {
  const status = pod['status']
  if (!isObject(status)) pod['status'] = { phase: 'Pending' }
  else status['phase'] ??= 'Pending'
}

const CORE = { group: '', version: 'v1' }

/** The builtin kinds, but for CustomResourceDefinition. */
export const BUILTIN_RESOURCES: readonly LooseResource[] = [
  {
    ...CORE,
    kind: 'Namespace',
    plural: 'namespaces',
    namespaced: false,
    shortNames: ['ns'],
    hasStatus: true,
    returnsDeleted: true,
    selectableFields: ['status.phase'],
    prepare: prepareNamespace,
    validateName: labelProblem,
    description: 'Namespace provides a scope for Names. Use of multiple namespaces is optional.',
  },
  {
    ...CORE,
    kind: 'Node',
    plural: 'nodes',
    namespaced: false,
    shortNames: ['no'],
    hasStatus: true,
    selectableFields: ['spec.unschedulable'],
    description: 'Node is a worker node in Kubernetes.',
  },
  {
    ...CORE,
    kind: 'Event',
    plural: 'events',
    namespaced: true,
    shortNames: ['ev'],
    selectableFields: EVENT_FIELDS,
    description: 'Event is a report of an event somewhere in the cluster.',
  },
  {
    ...CORE,
    kind: 'Secret',
    plural: 'secrets',
    namespaced: true,
    selectableFields: ['type'],
    prepare: prepareSecret,
    description: 'Secret holds secret data of a certain type.',
  },
  {
    ...CORE,
    kind: 'ConfigMap',
    plural: 'configmaps',
    namespaced: true,
    shortNames: ['cm'],
    description: 'ConfigMap holds configuration data for pods to consume.',
  },
  {
    ...CORE,
    kind: 'PersistentVolumeClaim',
    plural: 'persistentvolumeclaims',
    namespaced: true,
    shortNames: ['pvc'],
    hasStatus: true,
    description: 'PersistentVolumeClaim is a request for a persistent volume.',
  },
  {
    ...CORE,
    kind: 'Pod',
    plural: 'pods',
    namespaced: true,
    shortNames: ['po'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    returnsDeleted: true,
    selectableFields: ['spec.nodeName', 'spec.restartPolicy', 'status.phase', 'status.podIP'],
    prepare: preparePod,
    description: 'Pod is a collection of containers that can run on a host.',
  },
  {
    ...CORE,
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
    shortNames: ['sa'],
    returnsDeleted: true,
    description: 'ServiceAccount binds together a name and a principal that can be authenticated.',
  },
  {
    group: 'coordination.k8s.io',
    version: 'v1',
    kind: 'Lease',
    plural: 'leases',
    namespaced: true,
    description: 'Lease defines a lease concept.',
  },
]
