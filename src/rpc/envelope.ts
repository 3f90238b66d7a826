import { z } from 'zod'
import { InvalidArguments, InvalidMessage } from './errors.ts'
import { VERSION_PATTERN } from './version.ts'

/** The largest body we send or take, bytes of UTF-8: NATS's own default limit less room for the headers. */
export const MAX_BODY_BYTES = 1024 * 1024 - 16 * 1024

const ENVELOPE = z.object({
  method: z.string().min(1).max(100),
  version: z.string().regex(VERSION_PATTERN),
  args: z.unknown().optional(),
})

/** The body of a message: which method, in which version, with what. */
export interface Envelope {
  readonly method: string
  readonly version: string
  readonly args?: unknown
}

/**
 * Fields of JetStream's that are numbers there: with these, no body can pass for a request for messages or to set a
 * consumer back. Whoever asks for a cast may have it delivered to JetStream itself, as a request to another's consumer.
 */
const NO_REQUEST = { batch: '', seq: '' }

/** @throws InvalidMessage when the arguments are too large to be sent. */
export function encodeEnvelope(envelope: Envelope): string {
  const body = JSON.stringify({ ...envelope, ...NO_REQUEST })
  assertSize(body)
  return body
}

/** @throws InvalidMessage when the body is too large, no JSON, or no envelope. */
export function decodeEnvelope(body: string): Envelope {
  assertSize(body)
  const parsed = ENVELOPE.safeParse(parseJson(body))
  if (!parsed.success) throw new InvalidMessage({ reason: problemsOf(parsed.error).join('; ') })
  return parsed.data
}

/**
 * Checks the arguments of a method.
 *
 * @throws InvalidArguments listing where and what is wrong.
 */
export function checkArguments<A>(schema: z.ZodType<A>, envelope: Envelope): A {
  const parsed = schema.safeParse(envelope.args)
  if (parsed.success) return parsed.data
  throw new InvalidArguments({ method: envelope.method, problems: problemsOf(parsed.error) })
}

/** The result of a call as a body; a result of `undefined` is the empty body. */
export function encodeResult(result: unknown): string {
  const body = JSON.stringify(result) ?? ''
  assertSize(body)
  return body
}

/** @throws InvalidMessage when the reply does not fit the method's result. */
export function decodeResult<R>(schema: z.ZodType<R>, method: string, body: string): R {
  const parsed = schema.safeParse(body === '' ? undefined : parseJson(body))
  if (parsed.success) return parsed.data
  throw new InvalidMessage({ reason: `result of '${method}': ${problemsOf(parsed.error).join('; ')}` })
}

/** @throws InvalidMessage */
export function parseJson(body: string): unknown {
  try {
    const value: unknown = JSON.parse(body)
    return value
  } catch (error) {
    throw new InvalidMessage({ reason: 'the body is not JSON' }, { cause: error })
  }
}

function assertSize(body: string): void {
  // A UTF-16 unit is at most three bytes of UTF-8, so that short bodies need no counting.
  if (body.length * 3 <= MAX_BODY_BYTES) return
  const bytes = Buffer.byteLength(body)
  if (bytes > MAX_BODY_BYTES) {
    throw new InvalidMessage({ reason: `${bytes} bytes are more than the ${MAX_BODY_BYTES} allowed` })
  }
}

/** Enough to find the mistake, not enough to fill a log. */
const MAX_PROBLEMS = 5

function problemsOf(error: z.ZodError): string[] {
  const problems = error.issues.slice(0, MAX_PROBLEMS).map((issue) => {
    const path = issue.path.map(String).join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  })
  const more = error.issues.length - problems.length
  return more > 0 ? [...problems, `and ${more} more`] : problems
}
