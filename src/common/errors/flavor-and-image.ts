import { NovaError } from './nova-error.ts'

/** Nova: FlavorNotFound. */
export class FlavorNotFound extends NovaError<{ flavor: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: FlavorNotFound['details'], options?: ErrorOptions) {
    super(`Flavor ${details.flavor} could not be found.`, details, options)
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

/** Nova: ImageNotFound. `instead` is a sentence on what the user can do without it. */
export class ImageNotFound extends NovaError<{ image: string; instead?: string }> {
  readonly outcome = 'terminal'
  readonly code = 404

  constructor(details: ImageNotFound['details'], options?: ErrorOptions) {
    const { image, instead } = details
    super(`Image ${image} could not be found.${instead === undefined ? '' : ` ${instead}`}`, details, options)
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
