import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type PeerCertificate } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { type KeyedCertificate, makeCertificate } from './certificate.ts'

const HOUR_MS = 3600_000
const nowMs = Date.now()
const VALID = { notBeforeMs: nowMs - HOUR_MS, notAfterMs: nowMs + HOUR_MS }

function authority(name = 'an-authority'): KeyedCertificate {
  return makeCertificate({ name, names: [], isAuthority: true, ...VALID })
}

function issue(by: KeyedCertificate, names: readonly string[]): KeyedCertificate {
  const request = { name: 'a-server', names, isAuthority: false, ...VALID }
  return makeCertificate(request, { cert: by.cert, key: createPrivateKey(by.key) })
}

/** As a client sees the server that has this certificate, or why it wants nothing of it. */
async function shakeHands(
  server: KeyedCertificate,
  ca: string,
  servername: string,
): Promise<PeerCertificate> {
  await using listening = createServer(server)
  listening.on('tlsClientError', () => undefined)
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const options = servername === '127.0.0.1' ? {} : { servername }
  const socket = connect({ host: '127.0.0.1', port, ca, ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate()
  } finally {
    socket.destroy()
  }
}

describe('an authority', () => {
  it('is one, and signed itself', () => {
    const certificate = new X509Certificate(authority().cert)
    expect(certificate.ca).toBe(true)
    expect(certificate.subject).toBe('CN=an-authority')
    expect(certificate.verify(certificate.publicKey)).toBe(true)
  })
})

describe('a server’s certificate', () => {
  const by = authority()
  const server = issue(by, ['nats.default.svc', '*.nats.default.svc', '127.0.0.1'])

  it('is its issuer’s, fits its key, and signs no others', () => {
    const certificate = new X509Certificate(server.cert)
    expect(certificate.checkIssued(new X509Certificate(by.cert))).toBe(true)
    expect(certificate.verify(new X509Certificate(by.cert).publicKey)).toBe(true)
    expect(certificate.checkPrivateKey(createPrivateKey(server.key))).toBe(true)
    expect(certificate.ca).toBe(false)
  })

  it('is valid as long as was asked, also beyond 2049', () => {
    const notAfterMs = Date.UTC(2051, 4, 6, 7, 8, 9)
    const late = new X509Certificate(
      makeCertificate({ name: 'late', names: [], isAuthority: true, notBeforeMs: nowMs, notAfterMs }).cert,
    )
    expect(Date.parse(late.validTo)).toBe(notAfterMs)
    expect(Date.parse(late.validFrom)).toBe(Math.floor(nowMs / 1000) * 1000)
  })

  it.each(['nats.default.svc', 'nats-0.nats.default.svc', '127.0.0.1'])('serves %s', async (name) => {
    const { subject } = await shakeHands(server, by.cert, name)
    expect(subject.CN).toBe('a-server')
  })

  it('serves no other name', async () => {
    await expect(shakeHands(server, by.cert, 'example.com')).rejects.toThrow(
      "does not match certificate's altnames",
    )
  })

  it('is trusted with a bundle that has its authority among others of the same name', async () => {
    const bundle = authority().cert + by.cert + authority('another').cert
    await shakeHands(server, bundle, 'nats.default.svc')
  })

  it('is not trusted without its authority, were it of the same name', async () => {
    await expect(shakeHands(server, authority().cert, 'nats.default.svc')).rejects.toThrow(
      /unable to (verify|get)/,
    )
  })
})
