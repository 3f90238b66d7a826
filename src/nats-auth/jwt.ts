import { createHash } from 'node:crypto'
import { z } from 'zod'
import { isSignedBy, type Signer } from './nkey.ts'

/** The claims of a NATS JWT, version 2; `nats` is what its type says. Times are seconds since the epoch. */
export interface NatsClaims {
  readonly sub: string
  readonly aud: string
  readonly name?: string
  readonly exp?: number
  readonly nats: { readonly type: string; readonly [more: string]: unknown }
}

/** What was given is no JWT that NATS would take; the message says why and never what was in it. */
export class JwtError extends Error {}

/** The one algorithm of NATS's JWTs: Ed25519, with nkeys as names of keys. */
const HEADER = { typ: 'JWT', alg: 'ed25519-nkey' }
const VERSION = 2

/** `header.claims.signature`. */
export function encodeJwt(claims: NatsClaims, signer: Signer, nowMs: number): string {
  const dated = {
    ...claims,
    iss: signer.publicKey,
    iat: Math.floor(nowMs / 1000),
    nats: { ...claims.nats, version: VERSION },
  }
  const jti = createHash('sha256').update(JSON.stringify(dated)).digest('base64url')
  const signed = `${part(HEADER)}.${part({ ...dated, jti })}`
  return `${signed}.${signer.sign(signed).toString('base64url')}`
}

const headerSchema = z.object({ typ: z.literal(HEADER.typ), alg: z.literal(HEADER.alg) })
const issued = z.looseObject({ iss: z.string() })

/**
 * The claims of a JWT whose issuer signed it. Who that issuer is, and whether it is to be believed, is the
 * reader's to say.
 *
 * @throws JwtError
 */
export function decodeJwt(token: string): z.infer<typeof issued> {
  const parts = token.split('.')
  const [header = '', claims = '', signature = ''] = parts
  if (parts.length !== 3) throw new JwtError('it has not three parts')
  if (!headerSchema.safeParse(parse(header)).success) throw new JwtError('its algorithm is not ed25519-nkey')
  const result = issued.safeParse(parse(claims))
  if (!result.success) throw new JwtError('it has no issuer')
  if (!isSignedBy(result.data.iss, `${header}.${claims}`, Buffer.from(signature, 'base64url'))) {
    throw new JwtError('its signature is not its issuer’s')
  }
  return result.data
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    // Without the parser's own words: they quote what was given.
    throw new JwtError('a part of it is no JSON')
  }
}
