import { describe, expect, it } from 'vitest'
import { ApiError, isRetryable } from './api-error.ts'

const DENIED =
  'virtualmachines.kubevirt.io "web" is forbidden: User "a" cannot patch resource "virtualmachines"'

describe('a request that failed', () => {
  it.each([
    { what: 'had no answer', code: 0, retryable: true },
    { what: 'was one of too many', code: 429, retryable: true },
    { what: 'met trouble of the server', code: 503, retryable: true },
    { what: 'is wrong', code: 422, retryable: false },
    { what: 'lost a race', code: 409, retryable: false },
    { what: 'is forbidden', code: 403, message: DENIED, retryable: false },
    {
      what: 'is forbidden by an authorizer that has not read all roles yet',
      code: 403,
      message: `${DENIED}: RBAC: [clusterrole.rbac.authorization.k8s.io "kilonova-compute" not found]`,
      retryable: true,
    },
  ])('may pass by itself when it $what: $retryable', ({ code, message = 'no', retryable }) => {
    expect(isRetryable(new ApiError({ code, reason: 'Unknown', message }))).toBe(retryable)
  })

  it('may not when it is an error of ours', () => {
    expect(isRetryable(new TypeError('no'))).toBe(false)
  })
})
