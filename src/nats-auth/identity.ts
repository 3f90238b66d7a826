import type { Sender } from '../rpc/sender.ts'
import { isHost } from '../rpc/target.ts'
import type { TokenReviewStatus } from './token-review.ts'

/** By the service account's user (`system:serviceaccount:namespace:name`): the service it is for. */
export type ServiceAccounts = ReadonlyMap<string, Sender['service']>

export type Identity =
  | { readonly kind: 'known'; readonly sender: Sender; readonly user: string }
  /** `user` is whom the token names, where it names anybody. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly user?: string }

/** What the API server puts into the user of a token that is bound to a Pod. */
const POD_NAME = 'authentication.kubernetes.io/pod-name'
const NODE_NAME = 'authentication.kubernetes.io/node-name'

/**
 * Who shows this token. An agent is the agent of the node that its Pod runs on: the node's name is in the token
 * itself, put there by the API server, so an agent cannot be that of another node.
 */
export function identityOf(
  review: TokenReviewStatus,
  options: { readonly audience: string; readonly serviceAccounts: ServiceAccounts },
): Identity {
  if (review.authenticated !== true) {
    return unknown(review.error || 'the API server does not know the token')
  }
  const user = review.user?.username ?? ''
  if (!review.audiences?.includes(options.audience)) {
    return unknown(`the token is not for the audience ${options.audience}`, user)
  }
  const service = options.serviceAccounts.get(user)
  if (service === undefined) return unknown('no service has this service account', user)
  if (service !== 'compute') return { kind: 'known', sender: { service }, user }

  const host = hostOf(review.user?.extra ?? {})
  if (host === undefined) {
    return unknown(
      'the token is not bound to a Pod on a node, so it does not say which host’s agent this is',
      user,
    )
  }
  if (!isHost(host)) return unknown('the node’s name is no host name', user)
  return { kind: 'known', sender: { service, host }, user }
}

/** The node of the Pod that the token is bound to. A token can be bound to a node alone, which is no agent's. */
function hostOf(extra: Readonly<Record<string, readonly string[]>>): string | undefined {
  return extra[POD_NAME]?.[0] === undefined ? undefined : extra[NODE_NAME]?.[0]
}

function unknown(reason: string, user?: string): Identity {
  return { kind: 'unknown', reason, ...(user && { user }) }
}
