/**
 * Who asked for what: goes as first argument (`ctx`) through every API, RPC and manager method, and crosses
 * messages as headers. Plain data. Models nova.context.RequestContext.
 */
export interface RequestContext {
  /** `req-<uuid>`; the string an operator searches for in every log. */
  readonly requestId: string
  /** The request id of the system that called us, if it sent one. */
  readonly globalRequestId?: string
  /** The user, or `-` where the cluster does not tell us who asked. */
  readonly user: string
  /** The project: the namespace of the instance. `-` for the services' own work. */
  readonly project: string
  /** The uid of the instance the request is about; every line of log under the request bears it. */
  readonly instanceUid?: string
  /** Milliseconds since the epoch after which nobody waits for the answer any more. */
  readonly deadlineMs?: number
}

/** The context of a service's own work (start-up, periodic tasks), under a request id of its own. */
export function serviceContext(requestId: string): RequestContext {
  return { requestId, user: '-', project: '-' }
}
