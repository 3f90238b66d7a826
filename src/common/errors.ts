/** What the code that catches an error should do next. */
export type Outcome =
  /** It may pass by itself: try again later. */
  | 'retry'
  /** The host was wrong: give the claim back and try another host. */
  | 'reschedule'
  /** The request or the state must change first: no retry helps. */
  | 'terminal'

/** Facts of an error: what happened, to what. They cross messages as JSON. */
export type Details = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * An error of ours, named as Nova names it. A class fixes what to do next (`outcome`) and the HTTP-like
 * `code` Nova's API would answer; its message is a pure function of its details, so an error is rebuilt on
 * the other side of a message from name and details alone.
 */
export abstract class NovaError<D extends Details = Details> extends Error {
  abstract readonly outcome: Outcome
  abstract readonly code: number
  readonly details: D

  constructor(message: string, details: D, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.details = details
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

/** No host passed the filters. Nova: NoValidHost. */
export class NoValidHost extends NovaError<{ reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: NoValidHost['details'], options?: ErrorOptions) {
    super(`No valid host was found. ${details.reason}`, details, options)
  }
}

/** Every host that was tried failed to build the instance. Nova: MaxRetriesExceeded. */
export class MaxRetriesExceeded extends NovaError<{
  attempts: number
  hosts: readonly string[]
  reason: string
}> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: MaxRetriesExceeded['details'], options?: ErrorOptions) {
    super(
      `Exceeded maximum number of build attempts (${details.attempts}) on ${details.hosts.join(', ')}. Last failure: ${details.reason}`,
      details,
      options,
    )
  }
}

/** The host has no room for the claim. Nova: ComputeResourcesUnavailable. */
export class ComputeResourcesUnavailable extends NovaError<{ host: string; reason: string }> {
  readonly outcome = 'reschedule'
  readonly code = 500

  constructor(details: ComputeResourcesUnavailable['details'], options?: ErrorOptions) {
    super(`Insufficient compute resources on ${details.host}: ${details.reason}`, details, options)
  }
}

/** The host has as many members of the instance's server group as it may have. Nova: GroupAffinityViolation. */
export class GroupAffinityViolation extends NovaError<{
  host: string
  group: string
  members: number
  most: number
}> {
  readonly outcome = 'reschedule'
  readonly code = 500

  constructor(details: GroupAffinityViolation['details'], options?: ErrorOptions) {
    super(
      `Anti-affinity server group policy was violated: ${details.host} has ${details.members} of the group ${details.group}, and may have ${details.most}.`,
      details,
      options,
    )
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

/** The build cannot succeed on any host: no reschedule. Nova: BuildAbortException. */
export class BuildAbortException extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 500

  constructor(details: BuildAbortException['details'], options?: ErrorOptions) {
    super(`Build of instance ${details.instance} aborted: ${details.reason}`, details, options)
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

/** The driver could not switch the guest on. Nova: InstancePowerOnFailure. */
export class InstancePowerOnFailure extends NovaError<{ instance: string; reason: string }> {
  readonly outcome = 'retry'
  readonly code = 500

  constructor(details: InstancePowerOnFailure['details'], options?: ErrorOptions) {
    super(`Failed to power on instance ${details.instance}: ${details.reason}`, details, options)
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

/** The hypervisor cannot do that, ever. `reason` says why, and what a user does instead. Nova: NotImplementedError (HTTP 501). */
export class NotSupported extends NovaError<{ operation: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 501

  constructor(details: NotSupported['details'], options?: ErrorOptions) {
    super(`'${details.operation}' is not supported: ${details.reason}`, details, options)
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

/** There is no such instance (any more). Nova: InstanceNotFound. */
export class InstanceNotFound extends NovaError<{ instance: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: InstanceNotFound['details'], options?: ErrorOptions) {
    super(`Instance ${details.instance} could not be found.`, details, options)
  }
}

/** Nova: FlavorNotFound. */
export class FlavorNotFound extends NovaError<{ flavor: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: FlavorNotFound['details'], options?: ErrorOptions) {
    super(`Flavor ${details.flavor} could not be found.`, details, options)
  }
}

/** Nova: ImageNotFound. */
export class ImageNotFound extends NovaError<{ image: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: ImageNotFound['details'], options?: ErrorOptions) {
    super(`Image ${details.image} could not be found.`, details, options)
  }
}

/** The server group that a hint names is not there. Nova: InstanceGroupNotFound. */
export class InstanceGroupNotFound extends NovaError<{ group: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: InstanceGroupNotFound['details'], options?: ErrorOptions) {
    super(`Instance group ${details.group} could not be found.`, details, options)
  }
}

/** The namespace has what its ComputeQuota lets it have. Nova: OverQuota (HTTP 403). */
export class OverQuota extends NovaError<{ quota: string; over: string }> {
  readonly outcome = 'terminal'
  readonly code = 403

  constructor(details: OverQuota['details'], options?: ErrorOptions) {
    super(`Quota exceeded for resources: ${details.over} (ComputeQuota ${details.quota}).`, details, options)
  }
}

/** Nova: FlavorMemoryTooSmall. Sizes in MiB. */
export class FlavorMemoryTooSmall extends NovaError<{
  flavor: string
  memoryMb: number
  image: string
  minRamMb: number
}> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: FlavorMemoryTooSmall['details'], options?: ErrorOptions) {
    super(
      `Flavor's memory is too small for requested image: flavor ${details.flavor} has ${details.memoryMb} MiB, image ${details.image} needs ${details.minRamMb} MiB.`,
      details,
      options,
    )
  }
}

/** Nova: FlavorDiskSmallerThanMinDisk. Sizes in GiB. */
export class FlavorDiskSmallerThanMinDisk extends NovaError<{
  flavor: string
  diskGb: number
  image: string
  minDiskGb: number
}> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: FlavorDiskSmallerThanMinDisk['details'], options?: ErrorOptions) {
    super(
      `Flavor's disk is smaller than the minimum size specified in image metadata: flavor ${details.flavor} has ${details.diskGb} GiB, image ${details.image} needs ${details.minDiskGb} GiB.`,
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

/** Kubernetes refused or could not be reached. `reason` is its own sentence. */
export class KubernetesUnavailable extends NovaError<{ reason: string }> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: KubernetesUnavailable['details'], options?: ErrorOptions) {
    super(`The Kubernetes API could not be used: ${details.reason}`, details, options)
  }
}

/** The service is told to stop, and leaves what it has not finished to its successor. */
export class ServiceStopping extends NovaError<{ service: string }> {
  readonly outcome = 'retry'
  readonly code = 503

  constructor(details: ServiceStopping['details'], options?: ErrorOptions) {
    super(`${details.service} was stopped before it had finished`, details, options)
  }
}

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

/** Says what an unknown throwable says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
