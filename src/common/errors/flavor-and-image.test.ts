import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './flavor-and-image.ts'

const instance = 'uid-1'

describeErrors(errors, [
  {
    error: new errors.FlavorNotFound({ flavor: 'm1' }),
    message: 'Flavor m1 could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.FlavorMemoryTooSmall({ flavor: 'm1', memoryMb: 511, image: 'cirros', minRamMb: 512 }),
    message:
      "Flavor's memory is too small for requested image: flavor m1 has 511 MiB, image cirros needs 512 MiB.",
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.FlavorDiskSmallerThanMinDisk({
      flavor: 'm1',
      diskGb: 1,
      image: 'cirros',
      minDiskGb: 2,
    }),
    message:
      "Flavor's disk is smaller than the minimum size specified in image metadata: flavor m1 has 1 GiB, image cirros needs 2 GiB.",
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.CannotResizeDisk({ instance, fromGb: 20, toGb: 10 }),
    message: 'Instance uid-1 has a disk of 20 GiB, which cannot be resized to 10 GiB: disks do not shrink.',
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.ImageNotFound({ image: 'cirros' }),
    message: 'Image cirros could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.ImageUnacceptable({ image: 'cirros', reason: 'it names no source' }),
    message: 'Image cirros is unacceptable: it names no source',
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.ImageConflict({ image: 'cirros' }),
    message: 'Image cirros exists already: give the new one another name.',
    outcome: 'terminal',
    code: 409,
  },
])
