import { describe, expect, it } from 'vitest'
import { FlavorNotFound } from '../common/errors/flavor-and-image.ts'
import { toFault } from './instance-fault.ts'

const NOW = '2026-11-22T06:20:11.123Z'
const REQUEST = 'req-1'

describe('a fault', () => {
  const about = { requestId: REQUEST, now: NOW }

  it.each([
    {
      what: 'an error of ours',
      error: new FlavorNotFound({ flavor: 'm9' }),
      want: { code: 404, reason: 'FlavorNotFound', message: 'Flavor m9 could not be found.' },
    },
    {
      what: 'any other error',
      error: new TypeError('x'),
      want: { code: 500, reason: 'TypeError', message: 'x' },
    },
    { what: 'a thrown string', error: 'x', want: { code: 500, reason: 'Error', message: 'x' } },
  ])('of $what has its code, its class and its sentence', ({ error, want }) => {
    expect(toFault(error, about)).toEqual({ ...want, requestId: REQUEST, created: NOW })
  })

  it('names the host it happened on', () => {
    expect(toFault(new Error('x'), { ...about, host: 'node-1' })).toMatchObject({ host: 'node-1' })
  })

  it('holds no more than a status takes', () => {
    expect(toFault(new Error('x'.repeat(5000)), about).message).toHaveLength(4096)
  })
})
