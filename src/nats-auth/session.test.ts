import { createUser } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { sessionEnd, tokenExpiry } from './session.ts'

const token = (claims: unknown): string => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.y`

it.each([
  { what: 'its exp', text: token({ exp: 1_800_000_000, iss: 'kubernetes' }), want: 1_800_000_000 },
  { what: 'nothing without one', text: token({ iss: 'kubernetes' }), want: undefined },
  { what: 'nothing with one that is no time', text: token({ exp: 'never' }), want: undefined },
  { what: 'nothing in what is no JWT', text: 'opaque', want: undefined },
])('the expiry of a token is $what', ({ text, want }) => {
  expect(tokenExpiry(text)).toBe(want)
})

describe('a session', () => {
  const nowMs = Date.UTC(2026, 10, 22)
  const nowS = nowMs / 1000
  const maxSessionMs = 3600_000
  const endsAfter = (tokenExpiresS: number, userNkey: string): number =>
    sessionEnd({ tokenExpiresS, nowMs, maxSessionMs, userNkey }) - nowS

  it('ends with its token', () => {
    expect(endsAfter(nowS + 600, createUser().getPublicKey())).toBe(600)
  })

  it('ends at its bound, and not all at once', () => {
    const ends = Array.from({ length: 50 }, () => endsAfter(nowS + 1e6, createUser().getPublicKey()))
    for (const end of ends) {
      expect(end).toBeGreaterThan(3600 * 0.9 - 1)
      expect(end).toBeLessThanOrEqual(3600)
    }
    expect(new Set(ends).size).toBeGreaterThan(10)
  })
})
