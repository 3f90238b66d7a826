/** The API server's own account of a failure (`meta/v1` Status), as far as we use it. */
export interface Status {
  readonly kind?: string
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: StatusDetails
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly retryAfterSeconds?: number
  readonly causes?: readonly {
    readonly reason?: string
    readonly message?: string
    readonly field?: string
  }[]
}

/**
 * A request that failed. `code` is the HTTP status, or 0 when there was no answer (then `reason` is
 * `Unreachable` and `cause` the network's error). `message` is the server's own sentence.
 */
export class ApiError extends Error {
  readonly code: number
  /** CamelCase, as in Status: NotFound, AlreadyExists, Conflict, Expired, Invalid, TooManyRequests, … */
  readonly reason: string
  readonly details: StatusDetails | undefined
  /** How long the server asked us to wait before the next try, if it did. */
  readonly retryAfterMs: number | undefined

  constructor(
    fields: {
      readonly code: number
      readonly reason: string
      readonly message: string
      readonly details?: StatusDetails | undefined
      readonly retryAfterMs?: number | undefined
    },
    options?: ErrorOptions,
  ) {
    super(fields.message, options)
    this.name = 'ApiError'
    this.code = fields.code
    this.reason = fields.reason
    this.details = fields.details
    this.retryAfterMs = fields.retryAfterMs
  }
}

/** An ERROR event in a watch: the server gave the watch up and may have left events out. */
export class WatchError extends ApiError {}

/** No answer: refused, reset, timed out, or cut off in the middle. */
export function unreachable(what: string, cause: unknown): ApiError {
  return new ApiError({ code: 0, reason: 'Unreachable', message: `${what}: ${describe(cause)}` }, { cause })
}

/** Node wraps failed connects to several addresses in an AggregateError without a message of its own. */
function describe(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(describe).join('; ')
  return cause instanceof Error ? cause.message : String(cause)
}

const REASON_BY_CODE: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** The error that an ERROR event of a watch means. */
export function errorOfEvent(status: Status): WatchError {
  return new WatchError(fieldsOf(status, 500))
}

function fieldsOf(
  status: Status,
  code: number,
  retryAfterMs?: number,
): ConstructorParameters<typeof ApiError>[0] {
  const actual = status.code ?? code
  const seconds = status.details?.retryAfterSeconds
  return {
    code: actual,
    reason: status.reason || (REASON_BY_CODE[actual] ?? 'Unknown'),
    message: status.message || `the API server answered ${actual}`,
    details: status.details,
    retryAfterMs: retryAfterMs ?? (seconds === undefined ? undefined : seconds * 1000),
  }
}

/** The error that an answer outside 2xx means. A proxy's body need be no Status, and no JSON. */
export function errorOfResponse(code: number, body: string, retryAfter: string | undefined): ApiError {
  return new ApiError(fieldsOf(parseStatus(body) ?? plainStatus(body), code, retryAfterToMs(retryAfter)))
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed: unknown = JSON.parse(body)
    return isStatus(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status'
}

function plainStatus(body: string): Status {
  const text = body.trim().slice(0, 200)
  return text === '' ? {} : { message: text }
}

/** Kubernetes sends whole seconds; HTTP's date form is not used by it. */
function retryAfterToMs(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header === undefined || header === '' || !Number.isFinite(seconds) ? undefined : seconds * 1000
}

/** There is no such object (or no such kind). */
export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 404
}

/** Authorisation, an admission policy or a quota says no. */
export function isForbidden(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 403
}

/** A precondition (resourceVersion, uid) did not hold: somebody else wrote first. */
export function isConflict(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === 409 && error.reason !== 'AlreadyExists'
}

export function isAlreadyExists(error: unknown): error is ApiError {
  return error instanceof ApiError && error.reason === 'AlreadyExists'
}

/** The resource version or continue token is too old: list again. */
export function isGone(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired')
}

/** The object breaks its schema or a rule. */
export function isInvalid(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.code === 422 || error.reason === 'Invalid')
}

/** It may pass by itself: no answer, too many requests, or the server's own trouble. */
export function isRetryable(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false
  return error.code === 0 || error.code === 429 || error.code >= 500 || isUnauthorised(error)
}

/**
 * Not this object is refused, but us: an API server that has just started refuses everything before it has read its
 * roles, and a role that is missing is the installation's fault, which can be put right. A policy or a quota says no in
 * other words, and means this object.
 */
function isUnauthorised({ code, message }: ApiError): boolean {
  return code === 403 && /: User ".*" cannot \S+ resource /.test(message)
}
