import type { RequestContext } from '../common/context.ts'
import { InvalidMessage } from './errors.ts'
import type { MessageHeaders } from './transport.ts'

const REQUEST_ID = 'Kilonova-Request-Id'
const GLOBAL_REQUEST_ID = 'Kilonova-Global-Request-Id'
const USER = 'Kilonova-User'
const PROJECT = 'Kilonova-Project'
const INSTANCE = 'Kilonova-Instance'
const DEADLINE = 'Kilonova-Deadline'
const SENT_AT = 'Kilonova-Sent-At'

/** Present on a reply that carries an error in place of a result. */
export const FAILURE = 'Kilonova-Failure'

/** The request context, and when it is sent (milliseconds since the epoch, by the sender's clock), as headers. */
export function encodeHeaders(ctx: RequestContext, sentAt: number): MessageHeaders {
  const headers: Record<string, string> = {
    [REQUEST_ID]: encodeValue(ctx.requestId),
    [USER]: encodeValue(ctx.user),
    [PROJECT]: encodeValue(ctx.project),
    [SENT_AT]: String(sentAt),
  }
  if (ctx.globalRequestId !== undefined) headers[GLOBAL_REQUEST_ID] = encodeValue(ctx.globalRequestId)
  if (ctx.instanceUid !== undefined) headers[INSTANCE] = encodeValue(ctx.instanceUid)
  if (ctx.deadlineMs !== undefined) headers[DEADLINE] = String(ctx.deadlineMs)
  return headers
}

/** @throws InvalidMessage when a header that every message has is missing or unreadable. */
export function decodeContext(headers: MessageHeaders): RequestContext {
  const globalRequestId = headers[GLOBAL_REQUEST_ID]
  const instanceUid = headers[INSTANCE]
  const deadline = headers[DEADLINE]
  const deadlineMs = Number(deadline)
  if (deadline !== undefined && !Number.isFinite(deadlineMs)) {
    throw new InvalidMessage({ reason: `header ${DEADLINE} is no number` })
  }
  return {
    requestId: required(headers, REQUEST_ID),
    user: required(headers, USER),
    project: required(headers, PROJECT),
    ...(globalRequestId && { globalRequestId: decodeValue(GLOBAL_REQUEST_ID, globalRequestId) }),
    ...(instanceUid && { instanceUid: decodeValue(INSTANCE, instanceUid) }),
    ...(deadline !== undefined && { deadlineMs }),
  }
}

function required(headers: MessageHeaders, name: string): string {
  const value = headers[name]
  if (!value) throw new InvalidMessage({ reason: `header ${name} is missing` })
  return decodeValue(name, value)
}

/** A user name may hold any character; a header only printable ASCII. Everyday values pass unchanged. */
function encodeValue(value: string): string {
  return /^[\x21-\x24\x26-\x7e]+$/.test(value) ? value : encodeURIComponent(value)
}

function decodeValue(name: string, value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch (error) {
    throw new InvalidMessage({ reason: `header ${name} is not URI-encoded` }, { cause: error })
  }
}
