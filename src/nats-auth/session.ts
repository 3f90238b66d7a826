import { z } from 'zod'

const claims = z.object({ exp: z.number() })

/** A session is shorter than its bound by up to this part of it. */
const SPREAD = 0.1

/**
 * When a Kubernetes token expires, in seconds since the epoch; undefined for one that does not, or does not
 * say. To be asked of tokens the API server has vouched for: the signature is not looked at.
 */
export function tokenExpiry(token: string): number | undefined {
  const [, payload = ''] = token.split('.')
  try {
    return claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).exp
  } catch {
    return undefined
  }
}

/**
 * When a connection is to end: with its token, and `maxSessionMs` from now at the latest, so that a service
 * account that was deleted is soon without one. What all connect to at once (a broker that came back) they
 * would leave at once too, again and again: so each leaves somewhat earlier, by a part that comes from
 * `userNkey`, which is random.
 */
export function sessionEnd(session: {
  readonly tokenExpiresS: number
  readonly nowMs: number
  readonly maxSessionMs: number
  readonly userNkey: string
}): number {
  const { tokenExpiresS, nowMs, maxSessionMs, userNkey } = session
  let sum = 0
  for (const letter of userNkey) sum = (sum * 31 + letter.charCodeAt(0)) % 997
  const bound = nowMs + maxSessionMs * (1 - (SPREAD * sum) / 997)
  return Math.min(tokenExpiresS, Math.ceil(bound / 1000))
}
