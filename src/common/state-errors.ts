import { NovaError } from './errors.ts'

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

/** The operation needs the host's agent, which does not report. Nova: ServiceUnavailable. */
export class ServiceUnavailable extends NovaError<{ instance: string; host: string; method: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: ServiceUnavailable['details'], options?: ErrorOptions) {
    super(
      `Cannot '${details.method}' instance ${details.instance}: its host ${details.host} is down. Evacuate the instance, or bring the host back first.`,
      details,
      options,
    )
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

/** A disk cannot shrink. Nova: CannotResizeDisk. Sizes in GiB. */
export class CannotResizeDisk extends NovaError<{ instance: string; fromGb: number; toGb: number }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: CannotResizeDisk['details'], options?: ErrorOptions) {
    super(
      `Instance ${details.instance} has a disk of ${details.fromGb} GiB, which cannot be resized to ${details.toGb} GiB: disks do not shrink.`,
      details,
      options,
    )
  }
}

/** A host that was asked for is not known. Nova: ComputeHostNotFound. */
export class ComputeHostNotFound extends NovaError<{ host: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: ComputeHostNotFound['details'], options?: ErrorOptions) {
    super(`Compute host ${details.host} could not be found.`, details, options)
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

/** The image cannot be used. Nova: ImageUnacceptable. */
export class ImageUnacceptable extends NovaError<{ image: string; reason: string }> {
  readonly outcome = 'terminal'
  readonly code = 400

  constructor(details: ImageUnacceptable['details'], options?: ErrorOptions) {
    super(`Image ${details.image} is unacceptable: ${details.reason}`, details, options)
  }
}

/** An image of that name is there already. */
export class ImageConflict extends NovaError<{ image: string }> {
  readonly outcome = 'terminal'
  readonly code = 409

  constructor(details: ImageConflict['details'], options?: ErrorOptions) {
    super(`Image ${details.image} exists already: give the new one another name.`, details, options)
  }
}
