import { NovaError } from '../common/errors/nova-error.ts'
import { describeTarget } from './target.ts'

/** No answer came in time. Whether the work was done is not known. */
export class MessagingTimeout extends NovaError<{
  topic: string
  host?: string | undefined
  method: string
  timeoutMs: number
}> {
  readonly outcome = 'retry'
  readonly code = 504

  constructor(details: MessagingTimeout['details'], options?: ErrorOptions) {
    super(
      `Timed out waiting for a reply to '${details.method}' from ${targetText(details)} after ${details.timeoutMs} ms`,
      details,
      options,
    )
  }
}

/** Nobody serves the target of a call: the host does not exist, or its service is down. */
export class MessageUndeliverable extends NovaError<{
  topic: string
  host?: string | undefined
  method: string
}> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: MessageUndeliverable['details'], options?: ErrorOptions) {
    super(`No server answers on ${targetText(details)} (call of '${details.method}')`, details, options)
  }
}

/** The server has as many calls in hand as it takes on. What was asked was not begun. */
export class ServerBusy extends NovaError<{
  topic: string
  host?: string | undefined
  calls: number
}> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: ServerBusy['details'], options?: ErrorOptions) {
    super(`${targetText(details)} has ${details.calls} calls in hand, and takes on no more`, details, options)
  }
}

/** The message could not be handed to the broker in time. It may be sent again. */
export class MessageDeliveryFailure extends NovaError<{
  topic: string
  host?: string | undefined
  reason: string
}> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: MessageDeliveryFailure['details'], options?: ErrorOptions) {
    super(`Could not send a message to ${targetText(details)}: ${details.reason}`, details, options)
  }
}

/**
 * The broker does not let this sender send to the target. Its rights can be mended while services run, so it may
 * be sent again.
 */
export class MessageRefused extends NovaError<{
  topic: string
  host?: string | undefined
  sender: string
  subject: string
}> {
  readonly outcome = 'retry'
  readonly code = 403

  constructor(details: MessageRefused['details'], options?: ErrorOptions) {
    super(
      `The message broker does not let ${details.sender} send to ${targetText(details)}: no right to publish to ${details.subject}`,
      details,
      options,
    )
  }
}

/** The broker did not make the queue of a target's casts. It may be asked again. */
export class QueueUndeclared extends NovaError<{
  topic: string
  host?: string | undefined
  reason: string
}> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: QueueUndeclared['details'], options?: ErrorOptions) {
    super(`Could not declare the queue of ${targetText(details)}: ${details.reason}`, details, options)
  }
}

/** The server does not serve this version of the API. */
export class UnsupportedVersion extends NovaError<{ method: string; version: string; served: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: UnsupportedVersion['details'], options?: ErrorOptions) {
    super(
      `Specified RPC version ${details.version} of '${details.method}' is not supported: this server serves ${details.served}`,
      details,
      options,
    )
  }
}

/** The server knows no method of this name. */
export class NoSuchMethod extends NovaError<{ topic: string; method: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: NoSuchMethod['details'], options?: ErrorOptions) {
    super(`Topic ${details.topic} has no method '${details.method}'`, details, options)
  }
}

/** The arguments do not fit the method's schema. A problem reads `path: what is wrong`. */
export class InvalidArguments extends NovaError<{ method: string; problems: readonly string[] }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: InvalidArguments['details'], options?: ErrorOptions) {
    super(`Invalid arguments for '${details.method}': ${details.problems.join('; ')}`, details, options)
  }
}

/** What arrived, or was to be sent, is no message of ours. */
export class InvalidMessage extends NovaError<{ reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: InvalidMessage['details'], options?: ErrorOptions) {
    super(`Invalid message: ${details.reason}`, details, options)
  }
}

/** No worker finished the message in the deliveries it may have; each of them died or hung in the middle. */
export class DeliveriesExhausted extends NovaError<{ attempts: number }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: DeliveriesExhausted['details'], options?: ErrorOptions) {
    super(`The message was delivered ${details.attempts} times and no worker finished it`, details, options)
  }
}

/**
 * The other end failed with an error that is not one of ours (`type` is its class): a bug there, whose stack
 * is in that service's log.
 */
export class RemoteError extends NovaError<{ type: string; reason: string }> {
  readonly outcome = 'retry'
  readonly code = 500

  constructor(details: RemoteError['details'], options?: ErrorOptions) {
    super(`Remote error: ${details.type} ${details.reason}`, details, options)
  }
}

function targetText(details: { readonly topic: string; readonly host?: string | undefined }): string {
  return describeTarget({ topic: details.topic, ...(details.host !== undefined && { host: details.host }) })
}
