import { NovaError } from './nova-error.ts'

/** A caller may not do this. Nova: Forbidden. */
export class Forbidden extends NovaError<{ reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 403

  constructor(details: Forbidden['details'], options?: ErrorOptions) {
    super(`Not allowed: ${details.reason}`, details, options)
  }
}

/** An operator's policy does not let the caller do this. Nova: PolicyNotAuthorized. */
export class PolicyNotAuthorized extends NovaError<{ policy: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 403

  constructor(details: PolicyNotAuthorized['details'], options?: ErrorOptions) {
    super(`Policy doesn't allow ${details.policy} to be performed. ${details.reason}`, details, options)
  }
}
