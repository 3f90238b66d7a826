import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { isIPv4 } from 'node:net'
import { bits, der, oid, sequence, TAG, time } from './der.ts'

/** A certificate and its private key, both PEM. */
export interface KeyedCertificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateRequest {
  /** The subject's common name. */
  readonly name: string
  /** What a server is called by: DNS names, which may begin with `*.`, and IPv4 addresses. */
  readonly names: readonly string[]
  /** It may sign others. */
  readonly isAuthority: boolean
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Object identifiers, already encoded. */
const OID = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
} as const

const YES = der(TAG.bool, Buffer.from([0xff]))

/**
 * Makes a certificate with a new key, signed by itself or by `issuer`. Node.js can read certificates but not
 * make them, and this is too little to need a package for.
 */
export function makeCertificate(
  request: CertificateRequest,
  issuer?: { readonly cert: string; readonly key: KeyObject },
): KeyedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const by = issuer && new X509Certificate(issuer.cert)
  const algorithm = sequence(oid(OID.ecdsaWithSha256))
  const body = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial()),
    algorithm,
    commonName(by ? commonNameOf(by) : request.name),
    sequence(time(request.notBeforeMs), time(request.notAfterMs)),
    commonName(request.name),
    spki(publicKey),
    der(0xa3, sequence(...extensions(request, publicKey, by?.publicKey ?? publicKey))),
  )
  const signature = sign('sha256', body, issuer?.key ?? privateKey)
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { cert: pem(sequence(body, algorithm, bits(signature))), key }
}

/** The common name of a certificate that was made here. */
function commonNameOf(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, '')
}

/** Positive and of the shortest form: the first byte neither negative nor zero. */
function serial(): Buffer {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes
}

function commonName(name: string): Buffer {
  return sequence(der(TAG.set, sequence(oid(OID.commonName), der(TAG.utf8, Buffer.from(name)))))
}

function extensions(request: CertificateRequest, own: KeyObject, issuer: KeyObject): Buffer[] {
  const { isAuthority, names } = request
  // Bits from the left: digitalSignature is the first, keyCertSign and cRLSign are the sixth and seventh.
  const usage = isAuthority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7)
  return [
    extension(OID.basicConstraints, sequence(...(isAuthority ? [YES] : [])), true),
    extension(OID.keyUsage, usage, true),
    extension(OID.subjectKeyIdentifier, der(TAG.octets, keyId(own))),
    extension(OID.authorityKeyIdentifier, sequence(der(0x80, keyId(issuer)))),
    // A server of a cluster is a client of the others.
    ...(isAuthority
      ? []
      : [extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth), oid(OID.clientAuth)))]),
    ...(names.length === 0 ? [] : [extension(OID.subjectAltName, sequence(...names.map(alternativeName)))]),
  ]
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [YES] : []), der(TAG.octets, value))
}

function alternativeName(name: string): Buffer {
  if (!isIPv4(name)) return der(0x82, Buffer.from(name, 'ascii'))
  return der(0x87, Buffer.from(name.split('.').map(Number)))
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key)).digest()
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' })
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
