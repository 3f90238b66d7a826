import type { FieldError } from './field-error.ts'
import type { Json, JsonObject } from './json.ts'

/** What a resource is called in an error message. */
export interface Named {
  readonly group: string
  readonly plural: string
  readonly kind: string
}

/** An error that is answered as a `v1` Status object. */
export class ApiError extends Error {
  readonly code: number
  readonly reason: string
  readonly details: JsonObject | undefined

  constructor(code: number, reason: string, message: string, details?: JsonObject) {
    super(message)
    this.name = 'ApiError'
    this.code = code
    this.reason = reason
    this.details = details
  }

  /** The Status object that goes over the wire. */
  toStatus(): JsonObject {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason ? { reason: this.reason } : {}),
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }
}

function qualified(name: string, group: string): string {
  return group ? `${name}.${group}` : name
}

function detailsOf(type: Named, name: string, kind = type.plural): JsonObject {
  return { ...(name ? { name } : {}), ...(type.group ? { group: type.group } : {}), kind }
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message)
}

export function notFound(type: Named, name: string): ApiError {
  const message = `${qualified(type.plural, type.group)} "${name}" not found`
  return new ApiError(404, 'NotFound', message, detailsOf(type, name))
}

/** The answer to a path that leads nowhere. */
export function noSuchResource(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function alreadyExists(type: Named, name: string): ApiError {
  const message = `${qualified(type.plural, type.group)} "${name}" already exists`
  return new ApiError(409, 'AlreadyExists', message, detailsOf(type, name))
}

export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again'

export function conflict(type: Named, name: string, why: string, as = type.plural): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(as, type.group)} "${name}": ${why}`
  return new ApiError(409, 'Conflict', message, detailsOf(type, name, as))
}

export function forbidden(type: Named, name: string, why: string, causes: Json[] = []): ApiError {
  const message = `${qualified(type.plural, type.group)} "${name}" is forbidden: ${why}`
  const details = detailsOf(type, name)
  return new ApiError(403, 'Forbidden', message, causes.length > 0 ? { ...details, causes } : details)
}

export function methodNotAllowed(type: Named, verb: string): ApiError {
  const message = `${verb} is not supported on resources of kind "${qualified(type.plural, type.group)}"`
  return new ApiError(405, 'MethodNotAllowed', message, detailsOf(type, ''))
}

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  const list = accepted.join(', ')
  const message = `the body of the request was in an unknown format - accepted media types include: ${list}`
  return new ApiError(415, 'UnsupportedMediaType', message)
}

/** 410: the client's resource version or continue token is older than what is remembered. */
export function expired(message: string): ApiError {
  return new ApiError(410, 'Expired', message)
}

/** 422 with one cause a field. `kind` is what the message calls the object. */
export function invalidObject(
  type: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const texts = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))]
  const text = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`
  const message = `${qualified(type.kind, type.group)} "${name}" is invalid: ${text}`
  return new ApiError(422, 'Invalid', message, {
    ...(name ? { name } : {}),
    ...(type.group ? { group: type.group } : {}),
    kind: type.kind,
    causes: errors.map(({ reason, message: text, field }) => ({ reason, message: text, field })),
  })
}
