import { type KeyedCertificate, makeCertificate } from '../../tls/certificate.ts'

const DAY_MS = 24 * 3600 * 1000

/**
 * A certificate for one DNS name, good for a year from now. Signed by itself, so it is also the CA bundle of
 * whoever should trust it.
 */
export function makeSelfSigned(dnsName: string, nowMs: number): KeyedCertificate {
  return makeCertificate({
    name: dnsName,
    names: [dnsName],
    isAuthority: true,
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + 365 * DAY_MS,
  })
}
