import { z } from 'zod'
import type { RequestContext } from '../common/context.ts'
import { decodeEnvelope } from './envelope.ts'
import { ERROR_RECORD, type ErrorRecord, toRecord } from './error-wire.ts'
import { decodeContext } from './headers.ts'
import type { Target } from './target.ts'
import type { CastMessage } from './transport.ts'

/** A cast that was given up, and why. */
export interface DeadLetter {
  readonly topic: string
  readonly host?: string | undefined
  /** `-` when the message was too broken to tell. */
  readonly method: string
  /** Ids are `-` when the message was too broken to tell. */
  readonly ctx: RequestContext
  /** The arguments as they were sent: unchecked, and undefined when the message was too broken to tell. */
  readonly args?: unknown
  readonly error: ErrorRecord
  /** How often it was delivered. */
  readonly attempts: number
  /** The beginning of the body, of a message that is no envelope. */
  readonly raw?: string | undefined
}

const DEAD_LETTER = z.object({
  topic: z.string(),
  host: z.string().optional(),
  method: z.string(),
  ctx: z.object({
    requestId: z.string(),
    globalRequestId: z.string().optional(),
    user: z.string(),
    project: z.string(),
    instanceUid: z.string().optional(),
    deadlineMs: z.number().optional(),
  }),
  args: z.unknown().optional(),
  error: ERROR_RECORD,
  attempts: z.number(),
  raw: z.string().optional(),
})

const RAW_LIMIT = 1024
const MESSAGE_LIMIT = 4096
const UNKNOWN: RequestContext = { requestId: '-', user: '-', project: '-' }

/** Writes down a cast that is given up; a message too broken to be read says so with what can be read. */
export function buryCast(target: Target, message: CastMessage, error: unknown): DeadLetter {
  const envelope = attempt(() => decodeEnvelope(message.body))
  const ctx = attempt(() => decodeContext(message.headers)) ?? UNKNOWN
  const record = toRecord(error)
  return {
    topic: target.topic,
    ...(target.host !== undefined && { host: target.host }),
    method: envelope?.method ?? '-',
    ctx,
    ...(envelope ? { args: envelope.args } : { raw: message.body.slice(0, RAW_LIMIT) }),
    error: { ...record, message: record.message.slice(0, MESSAGE_LIMIT) },
    attempts: message.attempt,
  }
}

export function encodeDeadLetter(letter: DeadLetter): string {
  return JSON.stringify(letter)
}

/** Undefined for a body that is no dead letter of ours. */
export function decodeDeadLetter(body: string): DeadLetter | undefined {
  const json: unknown = attempt(() => JSON.parse(body))
  const parsed = DEAD_LETTER.safeParse(json)
  if (!parsed.success) return undefined
  const { globalRequestId, instanceUid, deadlineMs, ...ids } = parsed.data.ctx
  const ctx: RequestContext = {
    ...ids,
    ...(globalRequestId !== undefined && { globalRequestId }),
    ...(instanceUid !== undefined && { instanceUid }),
    ...(deadlineMs !== undefined && { deadlineMs }),
  }
  return { ...parsed.data, ctx }
}

/** What `read` gives, or undefined where it throws: here a message that cannot be read is an ordinary case. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
