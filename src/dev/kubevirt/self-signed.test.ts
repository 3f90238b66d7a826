import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { makeSelfSigned } from './self-signed.ts'

it('makes a certificate that others can read and check', () => {
  const nowMs = Date.UTC(2026, 10, 22)

  const { cert, key } = makeSelfSigned('kubevirt-stand-in.default.svc', nowMs)

  const certificate = new X509Certificate(cert)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect(certificate.checkHost('kubevirt-stand-in.default.svc')).toBe('kubevirt-stand-in.default.svc')
  expect(certificate.ca).toBe(true)
  expect(Date.parse(certificate.validFrom)).toBe(nowMs - 24 * 3600 * 1000)
  expect(Date.parse(certificate.validTo)).toBe(nowMs + 365 * 24 * 3600 * 1000)
})
