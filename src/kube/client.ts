import type { KubeObject, ObjectRef, ResourceType } from './resource.ts'

/** Goes with every request. */
export interface RequestOptions {
  /** Gives the request up; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Which objects of a kind. Without a namespace: of all namespaces. */
export interface Selection {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ListOptions extends Selection, RequestOptions {
  /** At most so many objects in this answer; the rest follows with `continue`. */
  readonly limit?: number | undefined
  readonly continue?: string | undefined
  readonly resourceVersion?: string | undefined
}

export interface KubeList<T extends KubeObject> {
  readonly items: T[]
  readonly resourceVersion: string
  /** There is more: pass it to the next `list`. */
  readonly continue?: string
}

export interface WriteOptions extends RequestOptions {
  readonly fieldManager?: string | undefined
}

export interface CreateOptions extends WriteOptions {
  /** On trial: it is checked as any other, and not kept. */
  readonly dryRun?: boolean | undefined
}

export interface PatchOptions extends WriteOptions {
  readonly subresource?: 'status' | undefined
  /** The version the object must still have; 409 when it has not. */
  readonly resourceVersion?: string | undefined
}

export interface DeleteOptions extends RequestOptions {
  /** The object must still be this one and not a later one of its name; 409 when it is not. */
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined
  /** How long the object may take to end itself; 0 removes a Pod whose node does not answer. */
  readonly gracePeriodSeconds?: number | undefined
}

export interface WatchOptions extends Selection {
  /** Events after this version. Without one: first an ADDED for everything there is. */
  readonly resourceVersion?: string | undefined
  /** The server ends the watch cleanly after so long. */
  readonly timeoutSeconds?: number | undefined
  readonly allowWatchBookmarks?: boolean | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined
  /** Called once when the server has accepted the watch. */
  readonly onOpen?: (() => void) | undefined
}

/** One line of a watch. A BOOKMARK carries only a resource version; an ERROR never comes: it is thrown. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

/** One step of an RFC 6902 patch. */
export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test' | 'move' | 'copy'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/**
 * A Kubernetes API server. Every method rejects with `ApiError` (`api-error.ts` tells them apart) unless it
 * says otherwise. Objects are handed out as the server sent them.
 */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: RequestOptions): Promise<T>

  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<KubeList<T>>

  /** `object` needs none of what the server sets. */
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: CreateOptions): Promise<T>

  /** Writes the whole object; a `metadata.resourceVersion` in it is a precondition. */
  replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options?: WriteOptions & { readonly subresource?: 'status' | undefined },
  ): Promise<T>

  /** RFC 7386: members given replace, `null` removes, lists are replaced whole. */
  mergePatch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: object,
    options?: PatchOptions,
  ): Promise<T>

  /** RFC 6902. With a `resourceVersion`, a test of it goes first (then answers 422 instead of 409: isInvalid). */
  jsonPatch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    operations: readonly JsonPatchOperation[],
    options?: PatchOptions,
  ): Promise<T>

  /** Resolves when the server accepted; finalizers may keep the object for longer. */
  delete<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>

  /**
   * Events as they come. Ends when the server ends the watch cleanly or `signal` is aborted; throws ApiError
   * on an HTTP error, on an ERROR event (with the code in it) and when the connection breaks.
   */
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>

  /** The body at a path of the server: `/readyz`, `/metrics`, `/version`. */
  getRaw(path: string, options?: RequestOptions): Promise<string>

  /** A request of an API that serves no objects, such as KubeVirt's subresources. Gives the body, `''` for none. */
  request(method: 'PUT', path: string, body: string): Promise<string>

  /** Ends connections; requests and watches under way fail. */
  close(): Promise<void>
}
