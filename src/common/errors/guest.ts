import { NovaError } from './nova-error.ts'

/** The build cannot succeed on any host: no reschedule. Nova: BuildAbortException. */
export class BuildAbortException extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: BuildAbortException['details'], options?: ErrorOptions) {
    super(`Build of instance ${details.instance} aborted: ${details.reason}`, details, options)
  }
}

/** The driver could not make the guest run on this host. Nova: InstanceDeployFailure. */
export class InstanceDeployFailure extends NovaError<{ instance: string; host: string; reason: string }> {
  readonly outcome = 'reschedule'
  readonly code = 500

  constructor(details: InstanceDeployFailure['details'], options?: ErrorOptions) {
    super(
      `Failed to deploy instance ${details.instance} on ${details.host}: ${details.reason}`,
      details,
      options,
    )
  }
}

/** A VM that bears our instance's name belongs to somebody else; it is never touched. Nova: InstanceExists. */
export class InstanceExists extends NovaError<{ name: string; owner: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: InstanceExists['details'], options?: ErrorOptions) {
    super(
      `VirtualMachine ${details.name} already exists and is not this instance's (${details.owner}); rename the instance or remove that VirtualMachine`,
      details,
      options,
    )
  }
}

/** The user data is unusable (its Secret is missing, or it is too long). Nova: InstanceUserDataMalformed. */
export class InstanceUserDataMalformed extends NovaError<{ reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: InstanceUserDataMalformed['details'], options?: ErrorOptions) {
    super(`User data needs to be valid: ${details.reason}`, details, options)
  }
}

/** The driver could not switch the guest on. Nova: InstancePowerOnFailure. */
export class InstancePowerOnFailure extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'retry'
  readonly code = 500

  constructor(details: InstancePowerOnFailure['details'], options?: ErrorOptions) {
    super(`Failed to power on instance ${details.instance}: ${details.reason}`, details, options)
  }
}

/** The driver could not switch the guest off. Nova: InstancePowerOffFailure. */
export class InstancePowerOffFailure extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'retry'
  readonly code = 500

  constructor(details: InstancePowerOffFailure['details'], options?: ErrorOptions) {
    super(`Failed to power off instance ${details.instance}: ${details.reason}`, details, options)
  }
}

/** The driver could not do with the guest what was asked. Ours: Nova lets the hypervisor's own error through. */
export class GuestOperationFailure extends NovaError<{
  instance: string
  operation: string
  reason: string
}> {
  readonly outcome = 'retry'
  readonly code = 500

  constructor(details: GuestOperationFailure['details'], options?: ErrorOptions) {
    super(`Failed to ${details.operation} instance ${details.instance}: ${details.reason}`, details, options)
  }
}

/** A guest could not be moved, and stayed where it was. Nova: MigrationError. */
export class MigrationError extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: MigrationError['details'], options?: ErrorOptions) {
    super(`Failed to move instance ${details.instance}: ${details.reason}`, details, options)
  }
}

/** The copy of a guest's disk could not be made. Ours: each of Nova's drivers fails in its own way. */
export class SnapshotFailure extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: SnapshotFailure['details'], options?: ErrorOptions) {
    super(`Failed to take a snapshot of instance ${details.instance}: ${details.reason}`, details, options)
  }
}

/** There is nothing to read of the guest's console. Nova: ConsoleNotAvailable. */
export class ConsoleNotAvailable extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: ConsoleNotAvailable['details'], options?: ErrorOptions) {
    super(
      `Guest does not have a console available: instance ${details.instance}, ${details.reason}`,
      details,
      options,
    )
  }
}

/** The hypervisor cannot do that, ever. `reason` says why, and what a user does instead. Nova: NotImplementedError (HTTP 501). */
export class NotSupported extends NovaError<{ operation: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 501

  constructor(details: NotSupported['details'], options?: ErrorOptions) {
    super(`'${details.operation}' is not supported: ${details.reason}`, details, options)
  }
}

/** The guest of an instance is not on its host any more, although nobody removed it through us. Ours: Nova only says so in a log. */
export class GuestVanished extends NovaError<{ instance: string; host: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: GuestVanished['details'], options?: ErrorOptions) {
    super(
      `The guest of instance ${details.instance} is gone from ${details.host}: its VirtualMachine was removed. Rebuild the instance, or delete it.`,
      details,
      options,
    )
  }
}
