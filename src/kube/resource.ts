/** Says that an object goes when its owner goes. */
export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** What every Kubernetes object carries. All but the name (and what the writer chooses) is set by the server. */
export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  generateName?: string
}

/** Any Kubernetes object. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** A kind as the API serves it. The object's type travels with it, so that calls need no type arguments. */
export interface ResourceType<T extends KubeObject> {
  /** The API group; empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  /** The lower-case plural in the path. */
  readonly plural: string
  readonly namespaced: boolean
  /** Never set: carries `T` for the compiler. */
  readonly object?: T
}

/** Declares a kind: `defineResource<Lease>({ group: 'coordination.k8s.io', ... })`. */
export function defineResource<T extends KubeObject>(type: Omit<ResourceType<T>, 'object'>): ResourceType<T> {
  return type
}

/** Which object, within its kind. */
export interface ObjectRef {
  readonly namespace?: string
  readonly name: string
}

/** The object's key in stores and queues: `namespace/name`, or `name` for a cluster-wide kind. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined || ref.namespace === '' ? ref.name : `${ref.namespace}/${ref.name}`
}

/** The opposite of `keyOf`. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata
  return namespace === undefined ? { name } : { namespace, name }
}

/** `group/version`, or `version` in the core group. */
export function apiVersionOf(type: Pick<ResourceType<KubeObject>, 'group' | 'version'>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}

/** The path of a collection or, with a name, of an object. Without a namespace: over all namespaces. */
export function pathOf<T extends KubeObject>(
  type: ResourceType<T>,
  ref: { readonly namespace?: string | undefined; readonly name?: string | undefined },
): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const inNamespace = type.namespaced && ref.namespace !== undefined && ref.namespace !== ''
  const scope = inNamespace ? `/namespaces/${encodeURIComponent(ref.namespace)}` : ''
  const name = ref.name === undefined ? '' : `/${encodeURIComponent(ref.name)}`
  return `${root}${scope}/${type.plural}${name}`
}
