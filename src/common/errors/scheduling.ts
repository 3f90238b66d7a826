import { NovaError } from './nova-error.ts'

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
