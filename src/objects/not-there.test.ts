import { expect, it } from 'vitest'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { ApiError } from '../kube/api-error.ts'
import { isNotThere } from './not-there.ts'

function answer(code: number, details?: { readonly name: string }): ApiError {
  return new ApiError({ code, reason: 'NotFound', message: '404 page not found', details })
}

it('an object is not there where the server says so of it, and of nothing else', () => {
  expect(isNotThere(answer(404, { name: 'web' }), 'web')).toBe(true)
  expect(isNotThere(answer(403, { name: 'web' }), 'web')).toBe(false)
  expect(isNotThere(new Error('socket hang up'), 'web')).toBe(false)
})

it.each([undefined, { name: 'other' }])('a 404 that does not name it is trouble: %j', (details) => {
  expect(() => isNotThere(answer(404, details), 'web')).toThrow(KubernetesUnavailable)
})
