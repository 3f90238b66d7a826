import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './unavailable.ts'

const instance = 'uid-1'
const host = 'node-1'

describeErrors(errors, [
  {
    error: new errors.KubernetesUnavailable({ reason: 'connection refused' }),
    message: 'The Kubernetes API could not be used: connection refused',
    outcome: 'retry',
    code: 503,
  },
  {
    error: new errors.ServiceUnavailable({ instance, host, method: 'resize' }),
    message:
      "Cannot 'resize' instance uid-1: its host node-1 is down. Evacuate the instance, or bring the host back first.",
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.ServiceStopping({ service: 'nova-compute on node-1' }),
    message: 'nova-compute on node-1 was stopped before it had finished',
    outcome: 'retry',
    code: 503,
  },
])
