import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './guest.ts'

const instance = 'uid-1'
const host = 'node-1'

describeErrors(errors, [
  {
    error: new errors.BuildAbortException({ instance, reason: 'the Secret is gone' }),
    message: 'Build of instance uid-1 aborted: the Secret is gone',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new errors.InstanceDeployFailure({ instance, host: 'node-1', reason: 'no KVM' }),
    message: 'Failed to deploy instance uid-1 on node-1: no KVM',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new errors.InstanceExists({ name: 'default/web', owner: 'nobody' }),
    message:
      "VirtualMachine default/web already exists and is not this instance's (nobody); rename the instance or remove that VirtualMachine",
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.InstanceUserDataMalformed({ reason: 'too long' }),
    message: 'User data needs to be valid: too long',
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.InstancePowerOnFailure({ instance, reason: 'refused' }),
    message: 'Failed to power on instance uid-1: refused',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new errors.InstancePowerOffFailure({ instance, reason: 'refused' }),
    message: 'Failed to power off instance uid-1: refused',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new errors.GuestOperationFailure({
      instance,
      operation: 'pause',
      reason: 'VMI is being migrated',
    }),
    message: 'Failed to pause instance uid-1: VMI is being migrated',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new errors.MigrationError({ instance, reason: 'its target Pod cannot be scheduled' }),
    message: 'Failed to move instance uid-1: its target Pod cannot be scheduled',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new errors.SnapshotFailure({ instance, reason: 'no room' }),
    message: 'Failed to take a snapshot of instance uid-1: no room',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new errors.ConsoleNotAvailable({ instance, reason: 'it is off' }),
    message: 'Guest does not have a console available: instance uid-1, it is off',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.NotSupported({
      operation: 'suspend',
      reason: 'KubeVirt has none; pause it or stop it',
    }),
    message: "'suspend' is not supported: KubeVirt has none; pause it or stop it",
    outcome: 'terminal',
    code: 501,
  },
  {
    error: new errors.GuestVanished({ instance, host }),
    message:
      'The guest of instance uid-1 is gone from node-1: its VirtualMachine was removed. Rebuild the instance, or delete it.',
    outcome: 'terminal',
    code: 500,
  },
])
