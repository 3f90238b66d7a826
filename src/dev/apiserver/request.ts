import { Buffer } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { parse as parseYaml } from 'yaml'
import type { WriteOptions } from './decode.ts'
import { notSupported } from './field-error.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { decodeProtobuf, PROTOBUF } from './protobuf.ts'
import type { ResourceType } from './resource.ts'
import { ApiError, badRequest, invalidObject, unsupportedMediaType } from './status.ts'

const MAX_BODY_BYTES = 3 * 1024 * 1024

/** What a path under /api or /apis says. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly namespace: string
  readonly resource: string
  readonly name: string
  readonly subresource: string
}

/** Reads a resource path; undefined when it is none. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent)
  const root = parts.shift()
  const group = root === 'api' ? '' : root === 'apis' ? parts.shift() : undefined
  const version = parts.shift()
  if (group === undefined || version === undefined || parts.length === 0) return undefined
  const namespace = takeNamespace(parts)
  const [resource = '', name = '', subresource = '', ...rest] = parts
  if (rest.length > 0) return undefined
  return { group, version, namespace, resource, name, subresource }
}

/** /namespaces/NAME and its status are about the namespace itself, anything longer is about what is in it. */
function takeNamespace(parts: string[]): string {
  const [first, name = '', third] = parts
  if (first !== 'namespaces' || third === undefined || third === 'status' || third === 'finalize') return ''
  parts.splice(0, 2)
  return name
}

/** What a request wants done, in Kubernetes' words. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** The verb of a request; undefined when the method means nothing here. */
export function verbOf(method: string, path: ResourcePath, query: URLSearchParams): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (query.get('watch') === 'true' || query.get('watch') === '1') return 'watch'
      return path.name ? 'get' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return path.name ? 'delete' : 'deletecollection'
    default:
      return undefined
  }
}

/** Reads a request's body whole. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // Read on, so that the client gets to see the answer, but keep nothing.
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (size > MAX_BODY_BYTES) {
    const message = `Request entity too large: limit is ${MAX_BODY_BYTES}`
    throw new ApiError(413, 'RequestEntityTooLarge', message, {})
  }
  return Buffer.concat(chunks)
}

/** The media type of a request's body, without parameters. */
export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** Parses a body that is an object, in JSON or YAML, or one of a few kinds in protobuf. */
export function parseObject(type: ResourceType, body: Buffer, mediaType: string): JsonObject {
  if (mediaType === PROTOBUF) {
    const object = decodeProtobuf(body)
    if (object) return object
  }
  if (mediaType !== '' && mediaType !== 'application/json' && mediaType !== 'application/yaml') {
    throw unsupportedMediaType(['application/json', 'application/yaml'])
  }
  const text = body.toString('utf8')
  const unrecognized = (why: string): ApiError =>
    badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): couldn't get version/kind; json parse error: ${why} (${text === '' ? '<empty>' : text.slice(0, 60)})`,
    )
  let value: unknown
  try {
    value = mediaType === 'application/yaml' ? parseYaml(text) : JSON.parse(text)
  } catch (error) {
    throw unrecognized(error instanceof Error ? error.message : String(error))
  }
  if (!isObject(value)) throw unrecognized('json: cannot unmarshal into an object')
  return value
}

/** Parses the body of a patch. */
export function parsePatch(body: Buffer): Json {
  try {
    return JSON.parse(body.toString('utf8')) as Json
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const META = 'meta.k8s.io'
const VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn'] as const

/** The options of a create, update or patch. `kind` is the name of the options in an error. */
export function writeOptions(query: URLSearchParams, kind: string): WriteOptions {
  const dryRun = query.getAll('dryRun').filter(Boolean)
  const validation = query.get('fieldValidation') ?? ''
  const errors = [
    ...(dryRun.some((value) => value !== 'All') ? [notSupported('dryRun', dryRun, ['All'])] : []),
    ...(VALIDATIONS.some((known) => known === validation)
      ? []
      : [notSupported('fieldValidation', validation, VALIDATIONS)]),
  ]
  if (errors.length > 0) throw invalidObject({ group: META, kind }, '', errors)
  return {
    dryRun: dryRun.length > 0,
    // The real server's default is Warn.
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
    warnings: [],
  }
}

/** How a client wants its answer. */
export type Format = 'json' | 'table'

/** Chooses the first format of an Accept header that we have; undefined when there is none. */
export function acceptedFormat(accept: string | undefined): Format | undefined {
  if (!accept?.trim()) return 'json'
  for (const clause of accept.split(',')) {
    const [mediaType = '', ...parameters] = clause.split(';').map((part) => part.trim().toLowerCase())
    if (!['application/json', 'application/*', '*/*'].includes(mediaType)) continue
    const as = parameters.find((parameter) => parameter.startsWith('as='))
    if (as === undefined) return 'json'
    if (as === 'as=table' && !parameters.includes('v=v1beta1')) return 'table'
  }
  return undefined
}
