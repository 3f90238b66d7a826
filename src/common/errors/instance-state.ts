import { NovaError } from './nova-error.ts'

/** There is no such instance (any more). Nova: InstanceNotFound. */
export class InstanceNotFound extends NovaError<{ instance: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: InstanceNotFound['details'], options?: ErrorOptions) {
    super(`Instance ${details.instance} could not be found.`, details, options)
  }
}

/** The request does not fit the state the instance is in. Nova: InstanceInvalidState (HTTP 409). */
export class InstanceInvalidState extends NovaError<{
  instance: string
  method: string
  attr: string
  state: string
}> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: InstanceInvalidState['details'], options?: ErrorOptions) {
    super(
      `Cannot '${details.method}' instance ${details.instance} while it is in ${details.attr} ${details.state}`,
      details,
      options,
    )
  }
}

/** An owner's request for an instance that is locked. Nova: InstanceIsLocked. */
export class InstanceIsLocked extends NovaError<{ instance: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: InstanceIsLocked['details'], options?: ErrorOptions) {
    super(`Instance ${details.instance} is locked`, details, options)
  }
}

/** The instance lacks what the operation needs, such as a host. Nova: InstanceNotReady. */
export class InstanceNotReady extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: InstanceNotReady['details'], options?: ErrorOptions) {
    super(`Instance ${details.instance} is not ready: ${details.reason}`, details, options)
  }
}

/** Somebody changed the instance first: the operation was preempted. Nova: UnexpectedTaskStateError. */
export class UnexpectedTaskStateError extends NovaError<{
  instance: string
  expected: string
  actual: string
}> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: UnexpectedTaskStateError['details'], options?: ErrorOptions) {
    super(
      `Conflict updating instance ${details.instance}. Expected: ${details.expected}. Actual: ${details.actual}`,
      details,
      options,
    )
  }
}

/** As UnexpectedTaskStateError, because the instance is being deleted. Nova: UnexpectedDeletingTaskStateError. */
export class UnexpectedDeletingTaskStateError extends NovaError<{
  instance: string
  expected: string
  actual: string
}> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: UnexpectedDeletingTaskStateError['details'], options?: ErrorOptions) {
    super(
      `Conflict updating instance ${details.instance}, which is being deleted. Expected: ${details.expected}. Actual: ${details.actual}`,
      details,
      options,
    )
  }
}

/** A task made no progress until its deadline. Ours: Nova leaves such an instance stuck. */
export class TaskTimedOut extends NovaError<{ task: string; host: string; seconds: number }> {
  readonly outcome = 'terminal'
  readonly code = 504

  constructor(details: TaskTimedOut['details'], options?: ErrorOptions) {
    super(
      `Task '${details.task}' made no progress on ${details.host} for ${details.seconds} s; see the log of that service for this request`,
      details,
      options,
    )
  }
}
