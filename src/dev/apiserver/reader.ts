import { Buffer } from 'node:buffer'
import type { Clock } from './clock.ts'
import { encodeObject } from './decode.ts'
import { forbidden as forbiddenField } from './field-error.ts'
import { isObject, type JsonObject } from './json.ts'
import type { Format } from './request.ts'
import { apiVersionOf, collectionKey, type ResourceType } from './resource.ts'
import { parseSelectors } from './selectors.ts'
import { ApiError, badRequest, expired, invalidObject, notFound } from './status.ts'
import type { Collection, Store, Stored } from './store.ts'
import { columnDefinitions, type IncludeObject, singleTable, table, tableRow } from './table.ts'

/** How an answer is to be written. */
export interface Rendering {
  readonly format: Format
  readonly include: IncludeObject
}

/** The rendering that a query and the accepted format ask for. */
export function renderingOf(format: Format, query: URLSearchParams): Rendering {
  const include = query.get('includeObject')
  return { format, include: include === 'None' || include === 'Object' ? include : 'Metadata' }
}

/** The JSON text of an object in the version of the request, made once. */
export function objectText(type: ResourceType, stored: Stored): string {
  const apiVersion = apiVersionOf(type)
  return stored.text(apiVersion, (object) => JSON.stringify(encodeObject(type, object)))
}

/** Answers get and list. */
export class Reader {
  readonly #store: Store
  readonly #clock: Clock

  constructor(deps: { readonly store: Store; readonly clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** The stored object, or a NotFound. */
  find(type: ResourceType, namespace: string, name: string): Stored {
    const stored = this.#store.collection(collectionKey(type)).get(namespace, name)
    if (!stored) throw notFound(type, name)
    return stored
  }

  /** One object, written as the client wants it. */
  render(type: ResourceType, stored: Stored, rendering: Rendering): string {
    if (rendering.format === 'json') return objectText(type, stored)
    const options = { now: this.#clock.now(), include: rendering.include, withColumns: true }
    return JSON.stringify(singleTable(type, stored, options))
  }

  list(type: ResourceType, namespace: string, query: URLSearchParams, rendering: Rendering): string {
    const collection = this.#store.collection(collectionKey(type))
    const page = this.#page(type, collection, namespace, query)
    const metadata: JsonObject = { resourceVersion: String(page.resourceVersion) }
    if (page.next) metadata['continue'] = page.next
    if (page.remaining !== undefined) metadata['remainingItemCount'] = page.remaining
    if (rendering.format === 'table') {
      const options = { now: this.#clock.now(), include: rendering.include }
      const rows = page.items.map((stored) => tableRow(type, encodeObject(type, stored.object), options))
      return JSON.stringify(table(rows, metadata, columnDefinitions(type)))
    }
    const head = JSON.stringify({ apiVersion: apiVersionOf(type), kind: type.listKind, metadata })
    return `${head.slice(0, -1)},"items":[${page.items.map((stored) => objectText(type, stored)).join(',')}]}`
  }

  #page(type: ResourceType, collection: Collection, namespace: string, query: URLSearchParams): Page {
    const token = readContinue(query.get('continue'))
    const resourceVersion = token?.resourceVersion ?? this.#store.resourceVersion
    if (token && token.resourceVersion < collection.floor) {
      throw expired('The provided continue parameter is too old to display a consistent list result.')
    }
    if (!token) checkResourceVersion(query, this.#store.resourceVersion)
    const matches = parseSelectors(type, query)
    let items = collection.list(namespace)
    if (matches) items = items.filter((stored) => matches(stored.object))
    if (token) items = items.filter((stored) => stored.key > token.after)
    const limit = parseLimit(query.get('limit'))
    if (limit === 0 || items.length <= limit) return { items, resourceVersion }
    const shown = items.slice(0, limit)
    return {
      items: shown,
      resourceVersion,
      next: writeContinue({ resourceVersion, after: shown.at(-1)?.key ?? '' }),
      remaining: matches ? undefined : items.length - limit,
    }
  }
}

interface Page {
  readonly items: readonly Stored[]
  readonly resourceVersion: number
  readonly next?: string
  readonly remaining?: number | undefined
}

interface Continue {
  readonly resourceVersion: number
  readonly after: string
}

/**
 * Later pages show the objects as they are now but carry the resource version of the first page: a watch from
 * there replays what happened in between, so a reflector ends up right.
 */
function writeContinue(token: Continue): string {
  const { resourceVersion: rv, after: start } = token
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv, start })).toString('base64url')
}

function readContinue(text: string | null): Continue | undefined {
  if (!text) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (isObject(value) && typeof value['rv'] === 'number' && typeof value['start'] === 'string') {
      return { resourceVersion: value['rv'], after: value['start'] }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw badRequest('invalid continue token: continue key is not valid')
}

function parseLimit(text: string | null): number {
  if (!text) return 0
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`)
  return Math.max(0, Number(text))
}

/** Reads a resourceVersion parameter: undefined when it is not given. */
export function parseResourceVersion(text: string | null): number | undefined {
  if (!text) return undefined
  if (/^\d+$/.test(text)) return Number(text)
  throw badRequest(
    `invalid resource version: resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
  )
}

function checkResourceVersion(query: URLSearchParams, current: number): void {
  const wanted = parseResourceVersion(query.get('resourceVersion'))
  const match = query.get('resourceVersionMatch')
  if (match && wanted === undefined) {
    const why = 'resourceVersionMatch is forbidden unless resourceVersion is provided'
    const error = forbiddenField('resourceVersionMatch', why)
    throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [error])
  }
  if (wanted === undefined || wanted === 0) return
  if (wanted > current) {
    throw new ApiError(
      504,
      'Timeout',
      `Timeout: Too large resource version: ${wanted}, current: ${current}`,
      {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    )
  }
  // Old states are not kept, so an exact version can be had only while nothing was written since.
  if (match === 'Exact' && wanted < current)
    throw expired('The resourceVersion for the provided list is too old.')
}
