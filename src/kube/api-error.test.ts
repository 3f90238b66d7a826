import { describe, expect, it } from 'vitest'
import { ApiError, isRetryable } from './api-error.ts'

const FORBIDDEN = 'virtualmachines.kubevirt.io "web" is forbidden: '

describe('a request that failed', () => {
  it.each([
    { what: 'had no answer', code: 0, retryable: true },
    { what: 'was one of too many', code: 429, retryable: true },
    { what: 'met trouble of the server', code: 503, retryable: true },
    { what: 'is wrong', code: 422, retryable: false },
    { what: 'lost a race', code: 409, retryable: false },
    {
      what: 'is forbidden by a policy',
      code: 403,
      message: `${FORBIDDEN}ValidatingAdmissionPolicy 'own-node' with binding 'own-node' denied request: no`,
      retryable: false,
    },
    { what: 'is over a quota', code: 403, message: `${FORBIDDEN}exceeded quota: tiny`, retryable: false },
    {
      what: 'is refused to whoever sent it',
      code: 403,
      message: `${FORBIDDEN}User "agent" cannot patch resource "virtualmachines/status" in API group "kubevirt.io"`,
      retryable: true,
    },
  ])('may pass by itself when it $what: $retryable', ({ code, message = 'no', retryable }) => {
    expect(isRetryable(new ApiError({ code, reason: 'Unknown', message }))).toBe(retryable)
  })

  it('may not when it is an error of ours', () => {
    expect(isRetryable(new TypeError('no'))).toBe(false)
  })
})
