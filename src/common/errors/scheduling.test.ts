import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './scheduling.ts'

describeErrors(errors, [
  {
    error: new errors.NoValidHost({ reason: 'There are no compute nodes.' }),
    message: 'No valid host was found. There are no compute nodes.',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new errors.MaxRetriesExceeded({ attempts: 2, hosts: ['node-1', 'node-2'], reason: 'no luck' }),
    message: 'Exceeded maximum number of build attempts (2) on node-1, node-2. Last failure: no luck',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new errors.ComputeResourcesUnavailable({ host: 'node-1', reason: 'vcpus: 2 asked, 1 of 8 free' }),
    message: 'Insufficient compute resources on node-1: vcpus: 2 asked, 1 of 8 free',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new errors.GroupAffinityViolation({ host: 'node-1', group: 'shop/web', members: 2, most: 2 }),
    message:
      'Anti-affinity server group policy was violated: node-1 has 2 of the group shop/web, and may have 2.',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new errors.InstanceGroupNotFound({ group: 'web' }),
    message: 'Instance group web could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.OverQuota({ quota: 'small', over: 'cores: 4 asked, 18 of 20 used' }),
    message: 'Quota exceeded for resources: cores: 4 asked, 18 of 20 used (ComputeQuota small).',
    outcome: 'terminal',
    code: 403,
  },
])
