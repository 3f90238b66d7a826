import type { NatsPermissions } from '../rpc/nats-permissions.ts'
import type { NatsClaims } from './jwt.ts'

const NO_LIMIT = -1

/**
 * The claims of a client that is let in: what it may do, and until when. Without a name: by a name the broker would
 * know it instead of by its token, and could not ask about it anew when it reads its configuration anew. It would send
 * it away.
 */
export function userClaims(user: {
  readonly userNkey: string
  /** The account by its name, as brokers with accounts in their configuration have it. */
  readonly account: string
  readonly permissions: NatsPermissions
  readonly expiresS: number
}): NatsClaims {
  const { publish, subscribe } = user.permissions
  return {
    sub: user.userNkey,
    aud: user.account,
    exp: user.expiresS,
    nats: {
      type: 'user',
      pub: only(publish.allow),
      sub: only(subscribe.allow),
      // What is left out is 0 and not «no limit».
      subs: NO_LIMIT,
      data: NO_LIMIT,
      payload: NO_LIMIT,
      allowed_connection_types: ['STANDARD'],
    },
  }
}

/** To NATS an empty list of what is allowed means everything. */
function only(
  subjects: readonly string[],
): { readonly allow: readonly string[] } | { readonly deny: string[] } {
  return subjects.length === 0 ? { deny: ['>'] } : { allow: subjects }
}

/** The claims of an answer: the user's JWT, or why there is none. */
export function answerClaims(
  request: { readonly userNkey: string; readonly serverId: string },
  answer: { readonly jwt: string } | { readonly error: string },
): NatsClaims {
  return {
    sub: request.userNkey,
    aud: request.serverId,
    nats: { type: 'authorization_response', ...answer },
  }
}
