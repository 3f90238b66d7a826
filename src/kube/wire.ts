import { errorOfEvent, type Status, unreachable } from './api-error.ts'
import type { Selection, WatchEvent } from './client.ts'
import { type KubeObject, type ObjectRef, pathOf, type ResourceType } from './resource.ts'
import type { HttpRequest } from './transport.ts'

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** A list and an event as they come over the wire. */
export interface WireList<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: T[] | null
}

export type WireEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: Status }

export function eventOf<T extends KubeObject>(event: WireEvent<T>): WatchEvent<T> {
  if (event.type === 'ERROR') throw errorOfEvent(event.object)
  if (event.type !== 'BOOKMARK') return event
  return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion ?? '' }
}

/** The server had closed a kept-alive connection that we took for open; nothing was answered. */
export function isHangUp(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}

export function parseAnswer<R>(text: string, request: HttpRequest): R {
  try {
    const value: R = JSON.parse(text)
    return value
  } catch (cause) {
    throw unreachable(`${request.method} ${request.path} was not answered in JSON`, cause)
  }
}

export function withPrecondition(patch: object, resourceVersion: string | undefined): object {
  if (resourceVersion === undefined) return patch
  const metadata = 'metadata' in patch && typeof patch.metadata === 'object' ? patch.metadata : {}
  return { ...patch, metadata: { ...metadata, resourceVersion } }
}

export function writePath<T extends KubeObject>(
  type: ResourceType<T>,
  ref: ObjectRef,
  options: { readonly subresource?: 'status' | undefined; readonly fieldManager?: string | undefined },
): string {
  const path = pathOf(type, { namespace: ref.namespace, name: ref.name })
  const target = options.subresource === undefined ? path : `${path}/${options.subresource}`
  return withQuery(target, { fieldManager: options.fieldManager })
}

export function selectorQuery(options: Selection): Query {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector }
}

export function withQuery(path: string, query: Query): string {
  const parameters = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
}
