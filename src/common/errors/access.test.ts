import { describeErrors } from '../../testing/error-cases.ts'
import * as errors from './access.ts'

describeErrors(errors, [
  {
    error: new errors.Forbidden({ reason: 'not yours' }),
    message: 'Not allowed: not yours',
    outcome: 'terminal',
    code: 403,
  },
  {
    error: new errors.PolicyNotAuthorized({ policy: 'unlock_override', reason: 'Ask an administrator.' }),
    message: "Policy doesn't allow unlock_override to be performed. Ask an administrator.",
    outcome: 'terminal',
    code: 403,
  },
])
