import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './instance-state.ts'

const instance = 'uid-1'

describeErrors(errors, [
  {
    error: new errors.InstanceNotFound({ instance }),
    message: 'Instance uid-1 could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new errors.InstanceInvalidState({ instance, method: 'stop', attr: 'vm_state', state: 'paused' }),
    message: "Cannot 'stop' instance uid-1 while it is in vm_state paused",
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.InstanceIsLocked({ instance }),
    message: 'Instance uid-1 is locked',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.InstanceNotReady({ instance, reason: 'it has no host' }),
    message: 'Instance uid-1 is not ready: it has no host',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.UnexpectedTaskStateError({
      instance,
      expected: 'task_state null',
      actual: 'task_state spawning',
    }),
    message: 'Conflict updating instance uid-1. Expected: task_state null. Actual: task_state spawning',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.UnexpectedDeletingTaskStateError({
      instance,
      expected: 'task_state null',
      actual: 'task_state deleting',
    }),
    message:
      'Conflict updating instance uid-1, which is being deleted. Expected: task_state null. Actual: task_state deleting',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new errors.TaskTimedOut({ task: 'spawning', host: 'node-1', seconds: 1800 }),
    message:
      "Task 'spawning' made no progress on node-1 for 1800 s; see the log of that service for this request",
    outcome: 'terminal',
    code: 504,
  },
])
