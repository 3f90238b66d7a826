import { Buffer } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Deleter, type DeleteOptions, deleteOptions } from './deleter.ts'
import { checkKind, encodeObject, type WriteOptions } from './decode.ts'
import { clone, isObject, type Json, type JsonObject, textOf } from './json.ts'
import { applyJsonPatch, mergePatch, strategicMerge } from './patch.ts'
import { objectText, type Reader, type Rendering, renderingOf } from './reader.ts'
import {
  acceptedFormat,
  contentType,
  parseObject,
  parsePatch,
  readBody,
  type ResourcePath,
  type Verb,
  writeOptions,
} from './request.ts'
import { collectionKey, type ResourceType } from './resource.ts'
import { parseSelectors } from './selectors.ts'
import { ApiError, badRequest, methodNotAllowed, unsupportedMediaType } from './status.ts'
import type { Store, Stored } from './store.ts'
import type { Watches } from './watch.ts'
import type { Part, Writer } from './writer.ts'

const JSON_PATCH = 'application/json-patch+json'
const MERGE_PATCH = 'application/merge-patch+json'
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json'
const APPLY_PATCH = 'application/apply-patch+yaml'

/** A request for a known kind. */
export interface ApiRequest {
  readonly verb: Verb
  readonly type: ResourceType
  readonly path: ResourcePath
  readonly query: URLSearchParams
  readonly message: IncomingMessage
}

/** An answer; `text` is JSON. */
export interface ApiResponse {
  readonly code: number
  readonly text: string
  readonly warnings?: readonly string[]
}

/** Carries out requests for resources. */
export class Api {
  readonly #store: Store
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #deleter: Deleter
  readonly #watches: Watches

  constructor(deps: {
    readonly store: Store
    readonly reader: Reader
    readonly writer: Writer
    readonly deleter: Deleter
    readonly watches: Watches
  }) {
    this.#store = deps.store
    this.#reader = deps.reader
    this.#writer = deps.writer
    this.#deleter = deps.deleter
    this.#watches = deps.watches
  }

  /** The answer, or undefined when the response has become a watch. */
  async handle(request: ApiRequest, response: ServerResponse): Promise<ApiResponse | undefined> {
    const format = acceptedFormat(request.message.headers.accept)
    if (!format) {
      const message = 'only the following media types are accepted: application/json'
      throw new ApiError(406, 'NotAcceptable', message)
    }
    const rendering = renderingOf(format, request.query)
    const body = isRead(request.verb) ? Buffer.alloc(0) : await readBody(request.message)
    checkPath(request)
    switch (request.verb) {
      case 'watch':
        this.#watch(request, rendering, response)
        return undefined
      case 'list':
        return { code: 200, text: this.#list(request, rendering) }
      case 'get':
        return { code: 200, text: this.#reader.render(request.type, this.#find(request), rendering) }
      case 'create':
        return this.#create(request, body, rendering)
      case 'update':
        return this.#update(request, body, rendering)
      case 'patch':
        return this.#patch(request, body, rendering)
      case 'delete':
        return this.#delete(request, body)
      case 'deletecollection':
        return this.#deleteCollection(request, body)
    }
  }

  #find({ type, path }: ApiRequest): Stored {
    return this.#reader.find(type, path.namespace, path.name)
  }

  #watch({ type, path, query }: ApiRequest, rendering: Rendering, response: ServerResponse): void {
    const { namespace, name } = path
    this.#watches.serve({ type, namespace, name, query, rendering }, response)
  }

  #list({ type, path, query }: ApiRequest, rendering: Rendering): string {
    return this.#reader.list(type, path.namespace, query, rendering)
  }

  #create(request: ApiRequest, body: Buffer, rendering: Rendering): ApiResponse {
    const { type, path, query } = request
    const options = writeOptions(query, 'CreateOptions')
    const object = parseObject(type, body, contentType(request.message))
    const stored = this.#writer.create(type, path.namespace, object, options)
    return { code: 201, text: this.#reader.render(type, stored, rendering), warnings: options.warnings }
  }

  #update(request: ApiRequest, body: Buffer, rendering: Rendering): ApiResponse {
    const { type, query } = request
    const options = writeOptions(query, 'UpdateOptions')
    const object = parseObject(type, body, contentType(request.message))
    checkKind(type, object)
    const name = isObject(object['metadata']) ? object['metadata']['name'] : undefined
    if (name !== request.path.name) {
      throw badRequest(
        `the name of the object (${textOf(name)}) does not match the name on the URL (${request.path.name})`,
      )
    }
    const part = partOf(request)
    const stored = this.#writer.update(type, this.#find(request), object, { ...options, part, replace: true })
    return { code: 200, text: this.#reader.render(type, stored, rendering), warnings: options.warnings }
  }

  #patch(request: ApiRequest, body: Buffer, rendering: Rendering): ApiResponse {
    const { type, query } = request
    const options = writeOptions(query, 'PatchOptions')
    const stored = this.#applyPatch(request, body, options)
    return { code: 200, text: this.#reader.render(type, stored, rendering), warnings: options.warnings }
  }

  #applyPatch(request: ApiRequest, body: Buffer, options: WriteOptions): Stored {
    const { type, message } = request
    const mediaType = contentType(message)
    const accepted = [JSON_PATCH, MERGE_PATCH, ...(type.custom ? [] : [STRATEGIC_PATCH])]
    if (mediaType === APPLY_PATCH) {
      const why =
        'server-side apply is not served by the embedded API server; use kubectl apply without --server-side'
      throw new ApiError(415, 'UnsupportedMediaType', why)
    }
    if (!accepted.includes(mediaType)) throw unsupportedMediaType(accepted)
    const patch = parsePatch(body)
    const stored = this.#find(request)
    const patched = patchObject(encodeObject(type, stored.object), patch, mediaType)
    return this.#writer.update(type, stored, patched, {
      ...options,
      isPatch: true,
      part: partOf(request),
      replace: false,
    })
  }

  #delete(request: ApiRequest, body: Buffer): ApiResponse {
    const { type } = request
    const { stored, gone } = this.#deleter.delete(
      type,
      this.#find(request),
      this.#deleteOptions(request, body),
    )
    if (!gone || type.returnsDeleted) return { code: 200, text: objectText(type, stored) }
    const { group, plural: kind } = type
    const details = { name: stored.name, ...(group ? { group } : {}), kind, uid: stored.uid }
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
    return { code: 200, text: JSON.stringify(status) }
  }

  #deleteCollection(request: ApiRequest, body: Buffer): ApiResponse {
    const { type, path, query } = request
    const options = this.#deleteOptions(request, body)
    const text = this.#reader.list(type, path.namespace, query, { format: 'json', include: 'Metadata' })
    const matches = parseSelectors(type, query)
    for (const stored of this.#store.collection(collectionKey(type)).list(path.namespace)) {
      if (matches?.(stored.object) ?? true) this.#deleter.delete(type, stored, options)
    }
    return { code: 200, text }
  }

  #deleteOptions(request: ApiRequest, body: Buffer): DeleteOptions {
    const mediaType = contentType(request.message)
    const object = body.length === 0 ? {} : parseObject(request.type, body, mediaType)
    writeOptions(request.query, 'DeleteOptions')
    return deleteOptions(object, request.query)
  }
}

function isRead(verb: Verb): boolean {
  return verb === 'get' || verb === 'list' || verb === 'watch'
}

const STATUS_VERBS = new Set<Verb>(['get', 'update', 'patch'])
const NAMED_VERBS = new Set<Verb>(['get', 'watch', 'update', 'patch', 'delete'])

/** Refuses what the kind does not have: a method on the wrong kind of path, a namespace too many or too few. */
function checkPath({ verb, type, path }: ApiRequest): void {
  if (path.subresource && !STATUS_VERBS.has(verb)) throw methodNotAllowed(type, verb)
  if (path.name ? !NAMED_VERBS.has(verb) : verb === 'update' || verb === 'patch') {
    throw methodNotAllowed(type, verb)
  }
  const needsNamespace =
    type.namespaced && (path.name !== '' || verb === 'create' || verb === 'deletecollection')
  if (needsNamespace && !path.namespace) throw methodNotAllowed(type, verb)
}

function partOf({ path }: ApiRequest): Part {
  return path.subresource === 'status' ? 'status' : 'main'
}

function patchObject(object: JsonObject, patch: Json, mediaType: string): JsonObject {
  if (mediaType !== JSON_PATCH && !isObject(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    )
  }
  const patched =
    mediaType === JSON_PATCH
      ? applyJsonPatch(object, patch)
      : mediaType === MERGE_PATCH
        ? mergePatch(object, patch)
        : strategicMerge(object, patch)
  if (!isObject(patched)) throw badRequest('the patched object is no object')
  // The patched object shares what the patch left alone; what is written next changes it in place.
  return clone(patched)
}
