import { createAccount, createServer, createUser, fromPublic } from '@nats-io/nkeys'
import { describe, expect, it } from 'vitest'
import { decodeJwt, encodeJwt, JwtError } from './jwt.ts'
import { isPublicKey, signerOf } from './nkey.ts'

const seedOf = (pair: { getSeed(): Uint8Array }): string => new TextDecoder().decode(pair.getSeed())
/** With one letter changed. */
const misspelt = (key: string): string => key.slice(0, 20) + (key[20] === 'A' ? 'B' : 'A') + key.slice(21)
const account = createAccount()
const signer = signerOf(seedOf(account))
const CLAIMS = { sub: 'someone', aud: 'somewhere', nats: { type: 'user', more: [1, 2] } }
const NOW_MS = Date.UTC(2026, 10, 22)

describe('a signer', () => {
  it('signs as the nkeys library does', () => {
    const data = 'what is to be signed'
    expect(signer.publicKey).toBe(account.getPublicKey())
    expect(new Uint8Array(signer.sign(data))).toEqual(account.sign(new TextEncoder().encode(data)))
    expect(fromPublic(signer.publicKey).verify(new TextEncoder().encode(data), signer.sign(data))).toBe(true)
  })

  it.each(['', 'not a seed', account.getPublicKey(), misspelt(seedOf(account))])(
    'is not made of %j',
    (seed) => {
      expect(() => signerOf(seed)).toThrow()
    },
  )
})

describe('a public key', () => {
  it('is told from another by its role', () => {
    expect(isPublicKey('account', account.getPublicKey())).toBe(true)
    expect(isPublicKey('server', createServer().getPublicKey())).toBe(true)
    expect(isPublicKey('user', createUser().getPublicKey())).toBe(true)
    expect(isPublicKey('user', account.getPublicKey())).toBe(false)
  })

  it.each(['', 'A', seedOf(account), account.getPublicKey().toLowerCase()])('is not %j', (text) => {
    expect(isPublicKey('account', text)).toBe(false)
  })

  it('has a checksum', () => {
    expect(isPublicKey('account', misspelt(account.getPublicKey()))).toBe(false)
  })
})

describe('a NATS JWT', () => {
  it('is read back with its issuer, its moment and the version of the format', () => {
    expect(decodeJwt(encodeJwt(CLAIMS, signer, NOW_MS))).toEqual({
      ...CLAIMS,
      iss: account.getPublicKey(),
      iat: NOW_MS / 1000,
      jti: expect.any(String),
      nats: { ...CLAIMS.nats, version: 2 },
    })
  })

  const jwt = encodeJwt(CLAIMS, signer, NOW_MS)
  const [header = '', claims = '', signature = ''] = jwt.split('.')
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const forged = { ...decodeJwt(jwt), iss: createAccount().getPublicKey() }

  it.each([
    { what: 'nothing', text: '', says: 'it has not three parts' },
    { what: 'two parts', text: `${header}.${claims}`, says: 'it has not three parts' },
    { what: 'no JSON', text: `${header}.c2VjcmV0.${signature}`, says: 'a part of it is no JSON' },
    {
      what: 'another algorithm',
      text: `${base64({ typ: 'JWT', alg: 'none' })}.${claims}.${signature}`,
      says: 'its algorithm is not ed25519-nkey',
    },
    { what: 'no issuer', text: `${header}.${base64({})}.${signature}`, says: 'it has no issuer' },
    {
      what: 'another issuer',
      text: `${header}.${base64(forged)}.${signature}`,
      says: 'its signature is not its issuer’s',
    },
    {
      what: 'no signature',
      text: `${header}.${claims}.`,
      says: 'its signature is not its issuer’s',
    },
  ])('is not $what', ({ text, says }) => {
    expect(() => decodeJwt(text)).toThrow(new JwtError(says))
  })
})
