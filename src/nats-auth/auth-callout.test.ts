import { createAccount, createCurve, createServer, createUser } from '@nats-io/nkeys'
import { beforeEach, describe, expect, it } from 'vitest'
import { permissionsOf } from '../rpc/nats-permissions.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { AuthCallout } from './auth-callout.ts'
import { decodeJwt, encodeJwt, type NatsClaims } from './jwt.ts'
import { signerOf } from './nkey.ts'
import type { TokenReviewStatus } from './token-review.ts'
import { TokenReviewUnavailable } from './token-reviewer.ts'

const seedOf = (pair: { getSeed(): Uint8Array }): string => new TextDecoder().decode(pair.getSeed())
const issuer = createAccount()
const ours = createCurve()
const broker = createServer()
const brokerXkey = createCurve()
const userNkey = createUser().getPublicKey()
const AUDIENCE = 'nats.kilonova.dev'
const API = 'system:serviceaccount:kilonova-system:kilonova-api'
const NOW_S = Date.UTC(2026, 0, 1) / 1000
const secret = (claims: object): string =>
  `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.very-secret`
const TOKEN = secret({ exp: NOW_S + 600 })

const REQUEST: NatsClaims = {
  sub: issuer.getPublicKey(),
  aud: 'nats-authorization-request',
  nats: {
    type: 'authorization_request',
    server_id: { name: 'kilonova-nats-0', id: broker.getPublicKey() },
    user_nkey: userNkey,
    client_info: { id: 27, host: '10.0.0.7', name: 'nova-api', user: '[REDACTED]' },
    connect_opts: { auth_token: TOKEN, protocol: 1 },
  },
}

const withNats = (change: Record<string, unknown>): NatsClaims => ({
  ...REQUEST,
  nats: { ...REQUEST.nats, ...change },
})
const seal = (claims: NatsClaims, signer = broker, recipient = ours): Uint8Array => {
  const jwt = encodeJwt(claims, signerOf(seedOf(signer)), NOW_S * 1000)
  return brokerXkey.seal(new TextEncoder().encode(jwt), recipient.getPublicKey())
}

describe('the answer to a broker', () => {
  let log: LogCapture
  let review: () => Promise<TokenReviewStatus>
  let callout: AuthCallout

  beforeEach(() => {
    log = captureLog()
    review = async () => ({ authenticated: true, audiences: [AUDIENCE], user: { username: API } })
    callout = new AuthCallout(
      {
        reviewer: { review: () => review() },
        signer: signerOf(seedOf(issuer)),
        clock: new FakeClock(NOW_S * 1000),
        log: log.log,
      },
      {
        xkeySeed: seedOf(ours),
        audience: AUDIENCE,
        account: 'KILONOVA',
        maxSessionMs: 3600_000,
        serviceAccounts: new Map([[API, 'api']]),
      },
    )
  })

  /** As the broker reads it. */
  const ask = async (request: Uint8Array): Promise<Record<string, unknown>> => {
    const sealed = await callout.answer(request, brokerXkey.getPublicKey())
    const opened = sealed && brokerXkey.open(sealed, ours.getPublicKey())
    return opened ? decodeJwt(new TextDecoder().decode(opened)) : {}
  }
  const refusal = async (request: Uint8Array): Promise<unknown> => {
    const { nats } = await ask(request)
    return nats
  }

  it('lets a service in with its own rights, until its token expires', async () => {
    const answer = await ask(seal(REQUEST))
    expect(answer).toMatchObject({
      sub: userNkey,
      aud: broker.getPublicKey(),
      iss: issuer.getPublicKey(),
      nats: { type: 'authorization_response', jwt: expect.any(String) },
    })
    const { jwt } = Object(answer['nats'])
    const { publish, subscribe } = permissionsOf({ service: 'api' })
    expect(decodeJwt(jwt)).toMatchObject({
      sub: userNkey,
      aud: 'KILONOVA',
      iss: issuer.getPublicKey(),
      exp: NOW_S + 600,
      nats: { type: 'user', pub: publish, sub: subscribe },
    })
    expect(log.at('INFO')).toEqual([
      expect.stringContaining(`sender=api user=${API} from=10.0.0.7 connection=kilonova-nats-0/cid:27`),
    ])
  })

  it.each([
    { what: 'no token', connect_opts: { user: 'root', pass: TOKEN }, says: 'it shows no token' },
    { what: 'an empty token', connect_opts: { auth_token: '' }, says: 'it shows no token' },
    {
      what: 'a token without an end',
      connect_opts: { auth_token: secret({}) },
      says: 'the token never expires',
    },
  ])('to a client with $what is why it is refused', async ({ connect_opts, says }) => {
    expect(await refusal(seal(withNats({ connect_opts })))).toMatchObject({ error: says })
    expect(log.at('WARNING')).toEqual([expect.stringMatching(`client=nova-api from=10.0.0.7.*"${says}"`)])
  })

  it('to a client whom the API server does not know names whom the token names', async () => {
    review = async () => ({ authenticated: true, audiences: [AUDIENCE], user: { username: 'eve' } })
    expect(await refusal(seal(REQUEST))).toMatchObject({ error: 'no service has this service account' })
    expect(log.at('WARNING')).toEqual([expect.stringContaining('user=eve')])
  })

  it('comes at once while the API server is away, and is no warning each time', async () => {
    review = async () => {
      throw new TokenReviewUnavailable('connection refused')
    }
    expect(await refusal(seal(REQUEST))).toMatchObject({ error: 'connection refused' })
    expect(log.at('WARNING')).toEqual([])
  })

  it('tells the broker nothing of a fault of our own, and the log all', async () => {
    review = async () => {
      throw new TypeError('a bug')
    }
    expect(await refusal(seal(REQUEST))).toMatchObject({ error: 'nats-auth failed; its log says why' })
    expect(log.at('ERROR')).toEqual([expect.stringContaining('a bug')])
  })

  it.each([
    { what: 'noise', request: new Uint8Array(200) },
    { what: 'nothing', request: new Uint8Array() },
    { what: 'a request for somebody else', request: seal(REQUEST, broker, createCurve()) },
    { what: 'a request of another type', request: seal(withNats({ type: 'user' })) },
    { what: 'a request for no user', request: seal(withNats({ user_nkey: issuer.getPublicKey() })) },
    { what: 'a request signed by another broker', request: seal(REQUEST, createServer()) },
    { what: 'a request to another service', request: seal({ ...REQUEST, aud: 'elsewhere' }) },
    {
      what: 'a request signed by no broker',
      request: seal(withNats({ server_id: { id: issuer.getPublicKey() } }), issuer),
    },
  ])('is none to $what', async ({ request }) => {
    expect(await callout.answer(request, brokerXkey.getPublicKey())).toBeUndefined()
    expect(log.at('WARNING')).toEqual([expect.stringContaining('Could not read an authorization request')])
  })

  it('is none to a broker that gives no key', async () => {
    expect(await callout.answer(seal(REQUEST), '')).toBeUndefined()
  })

  it('never has a token in the log', async () => {
    await ask(seal(REQUEST))
    review = async () => ({ authenticated: false, error: 'invalid bearer token' })
    await ask(seal(REQUEST))
    await ask(seal(withNats({ type: TOKEN })))
    expect(log.lines).toHaveLength(3)
    expect(log.lines.join('\n')).not.toContain('very-secret')
  })
})
