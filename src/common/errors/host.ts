import { NovaError } from './nova-error.ts'

/** A host that was asked for is not known. Nova: ComputeHostNotFound. */
export class ComputeHostNotFound extends NovaError<{ host: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: ComputeHostNotFound['details'], options?: ErrorOptions) {
    super(`Compute host ${details.host} could not be found.`, details, options)
  }
}

/** An evacuation from a host that is up. Nova: ComputeServiceInUse. */
export class ComputeServiceInUse extends NovaError<{ host: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: ComputeServiceInUse['details'], options?: ErrorOptions) {
    super(
      `Compute service of ${details.host} is still in use: instances are evacuated from a host that is down. Migrate them, or say that it is down by spec.forcedDown of its ComputeNode.`,
      details,
      options,
    )
  }
}

/** The host that was asked for is the one the instance is on. Nova: CannotMigrateToSameHost. */
export class CannotMigrateToSameHost extends NovaError<{ instance: string; host: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: CannotMigrateToSameHost['details'], options?: ErrorOptions) {
    super(
      `Cannot migrate instance ${details.instance} to ${details.host}: that is the host it is on.`,
      details,
      options,
    )
  }
}
