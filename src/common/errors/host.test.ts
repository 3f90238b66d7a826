import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './host.ts'

const instance = 'uid-1'
const host = 'node-1'

describeErrors(errors, [
  {
    error: new errors.ComputeHostNotFound({ host }),
    message: 'Compute host node-1 could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.ComputeServiceInUse({ host }),
    message:
      'Compute service of node-1 is still in use: instances are evacuated from a host that is down. Migrate them, or say that it is down by spec.forcedDown of its ComputeNode.',
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new errors.CannotMigrateToSameHost({ instance, host }),
    message: 'Cannot migrate instance uid-1 to node-1: that is the host it is on.',
    outcome: 'terminal',
    code: 400,
  },
])
