import { toTimestamp } from '../common/clock.ts'
import { defineResource, type KubeObject } from './resource.ts'

export interface ObjectReference {
  apiVersion?: string
  kind?: string
  namespace?: string
  name?: string
  uid?: string
  resourceVersion?: string
}

/** A core/v1 Event, as `kubectl describe` shows it. */
export interface KubeEvent extends KubeObject {
  involvedObject: ObjectReference
  type?: string
  reason?: string
  message?: string
  source?: { component?: string; host?: string }
  reportingComponent?: string
  reportingInstance?: string
  firstTimestamp?: string
  lastTimestamp?: string
  count?: number
}

export const EVENT = defineResource<KubeEvent>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
})

/** Something worth telling the user about an object. */
export interface Occurrence {
  readonly object: KubeObject
  readonly type: 'Normal' | 'Warning'
  /** CamelCase, short. */
  readonly reason: string
  /** One sentence. */
  readonly message: string
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  }
}

/** Events of cluster-wide objects lie in `default`, by Kubernetes' rule. */
export function namespaceOfEvent(object: KubeObject): string {
  return object.metadata.namespace ?? 'default'
}

/** RFC 3339 in whole seconds, as Event's times are kept. */
export function eventTime(ms: number): string {
  return toTimestamp(ms).replace(/\.\d+Z$/, 'Z')
}
