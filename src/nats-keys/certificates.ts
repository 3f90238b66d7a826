import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { type KeyedCertificate, makeCertificate } from '../tls/certificate.ts'

const HOUR_MS = 3600_000
const YEAR_MS = 365 * 24 * HOUR_MS
/**
 * Long, for where nothing renews them but an upgrade. A shorter life would guard against a key that was stolen and is
 * not known to be; but who could read the Secret can read the next one there too.
 */
const AUTHORITY_LIFETIME_MS = 10 * YEAR_MS
const SERVER_LIFETIME_MS = 5 * YEAR_MS
/** A clock that is behind ours must not find a new certificate to be of the future. */
const BACKDATED_MS = HOUR_MS

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g

/** A certificate authority of its own name: two of them in one bundle are told apart by it. */
export function makeAuthority(nowMs: number): KeyedCertificate {
  return makeCertificate({
    name: `kilonova-nats-ca-${randomBytes(4).toString('hex')}`,
    names: [],
    isAuthority: true,
    notBeforeMs: nowMs - BACKDATED_MS,
    notAfterMs: nowMs + AUTHORITY_LIFETIME_MS,
  })
}

/** Never good for longer than its authority. */
export function issueServerCertificate(
  authority: KeyedCertificate,
  names: readonly string[],
  nowMs: number,
): KeyedCertificate {
  const end = Date.parse(new X509Certificate(authority.cert).validTo)
  return makeCertificate(
    {
      name: 'kilonova-nats',
      names,
      isAuthority: false,
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs: Math.min(nowMs + SERVER_LIFETIME_MS, end),
    },
    { cert: authority.cert, key: createPrivateKey(authority.key) },
  )
}

/** Why a certificate is to be made anew; undefined for one that is good for more than a third of its life yet. */
export function whyRenew(pair: KeyedCertificate, nowMs: number): string | undefined {
  const certificate = read(pair.cert)
  if (!certificate) return 'there is none'
  if (!isKeyOf(certificate, pair.key)) return 'its key is not there'
  const start = Date.parse(certificate.validFrom)
  const end = Date.parse(certificate.validTo)
  return end - nowMs < (end - start) / 3 ? 'less than a third of its life is left' : undefined
}

/** As `whyRenew`, for a server that is to be called by these names and to be trusted with this bundle. */
export function whyReissue(
  pair: KeyedCertificate,
  want: { readonly names: readonly string[]; readonly bundle: string; readonly nowMs: number },
): string | undefined {
  const why = whyRenew(pair, want.nowMs)
  const certificate = read(pair.cert)
  if (why !== undefined || !certificate) return why
  const trusted = (want.bundle.match(PEM) ?? []).map(read)
  if (!trusted.some((one) => one && certificate.checkIssued(one) && certificate.verify(one.publicKey))) {
    return 'its authority is not trusted'
  }
  const present = new Set(certificate.subjectAltName?.split(', '))
  const missing = want.names.filter((name) => !present.has(`${isIPv4(name) ? 'IP Address' : 'DNS'}:${name}`))
  return missing.length === 0 ? undefined : `it does not name ${missing.join(', ')}`
}

/** The bundle with this authority in it, and without those that nobody can be trusted for any more. */
export function withAuthority(bundle: string, authority: string, nowMs: number): string {
  const own = new X509Certificate(authority).fingerprint256
  const others = (bundle.match(PEM) ?? []).filter((pem) => {
    const other = read(pem)
    return other && other.fingerprint256 !== own && Date.parse(other.validTo) > nowMs
  })
  return [authority, ...others].map((pem) => `${pem.trim()}\n`).join('')
}

function read(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

function isKeyOf(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
