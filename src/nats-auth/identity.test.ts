import { describe, expect, it } from 'vitest'
import { type Identity, identityOf } from './identity.ts'
import type { TokenReviewStatus } from './token-review.ts'

const AUDIENCE = 'nats.kilonova.dev'
const USER = 'system:serviceaccount:kilonova-system:kilonova-'
const OPTIONS = {
  audience: AUDIENCE,
  serviceAccounts: new Map([
    [`${USER}api`, 'api'],
    [`${USER}scheduler`, 'scheduler'],
    [`${USER}conductor`, 'conductor'],
    [`${USER}compute`, 'compute'],
  ] as const),
}
const NODE = 'authentication.kubernetes.io/node-name'
const POD = 'authentication.kubernetes.io/pod-name'

function review(username: string, extra: Record<string, readonly string[]> = {}): TokenReviewStatus {
  return { authenticated: true, audiences: [AUDIENCE], user: { username, extra } }
}

const BOUND = { [POD]: ['kilonova-compute-x7k2p'], [NODE]: ['node-1.example.com'] }

const CASES: readonly {
  readonly what: string
  readonly review: TokenReviewStatus
  readonly want: Identity
}[] = [
  ...(['api', 'scheduler', 'conductor'] as const).map((service) => ({
    what: `the ${service}’s token`,
    review: review(USER + service),
    want: { kind: 'known' as const, sender: { service }, user: USER + service },
  })),
  {
    what: 'an agent’s token, bound to its Pod',
    review: review(`${USER}compute`, BOUND),
    want: {
      kind: 'known',
      sender: { service: 'compute', host: 'node-1.example.com' },
      user: `${USER}compute`,
    },
  },
  {
    what: 'a token the API server refuses',
    review: { authenticated: false, error: '[invalid bearer token, token lookup failed]' },
    want: { kind: 'unknown', reason: '[invalid bearer token, token lookup failed]' },
  },
  {
    what: 'a token the API server says nothing of',
    review: {},
    want: { kind: 'unknown', reason: 'the API server does not know the token' },
  },
  {
    what: 'a token that is authentic, and not for the broker',
    review: { ...review(`${USER}api`), audiences: ['https://kubernetes.default.svc'] },
    want: { kind: 'unknown', reason: `the token is not for the audience ${AUDIENCE}`, user: `${USER}api` },
  },
  {
    what: 'the answer of a server that knows no audiences',
    review: { authenticated: true, user: { username: `${USER}api` } },
    want: { kind: 'unknown', reason: `the token is not for the audience ${AUDIENCE}`, user: `${USER}api` },
  },
  {
    what: 'the token of another service account',
    review: review('system:serviceaccount:default:kilonova-api'),
    want: {
      kind: 'unknown',
      reason: 'no service has this service account',
      user: 'system:serviceaccount:default:kilonova-api',
    },
  },
  {
    what: 'the token of nobody',
    review: { authenticated: true, audiences: [AUDIENCE] },
    want: { kind: 'unknown', reason: 'no service has this service account' },
  },
  ...[{}, { [NODE]: ['node-1'] }, { [POD]: ['a-pod'] }, { [POD]: ['a-pod'], [NODE]: [] }].map((extra) => ({
    what: `an agent’s token that is bound to ${JSON.stringify(extra)}`,
    review: review(`${USER}compute`, extra),
    want: {
      kind: 'unknown' as const,
      reason: 'the token is not bound to a Pod on a node, so it does not say which host’s agent this is',
      user: `${USER}compute`,
    },
  })),
  {
    what: 'a node whose name reaches into other subjects',
    review: review(`${USER}compute`, { ...BOUND, [NODE]: ['*'] }),
    want: { kind: 'unknown', reason: 'the node’s name is no host name', user: `${USER}compute` },
  },
]

describe('who shows a token', () => {
  it.each(CASES)('$what', ({ review: given, want }) => {
    expect(identityOf(given, OPTIONS)).toEqual(want)
  })
})
