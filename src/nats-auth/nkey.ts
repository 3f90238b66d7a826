import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { fromSeed } from '@nats-io/nkeys'

/** What a key is for, told by the first letter of its public form. */
export type NkeyRole = 'account' | 'server' | 'user'

/** Signs for one nkey. */
export interface Signer {
  /** `A…` for an account. */
  readonly publicKey: string
  sign(data: string): Buffer
}

const LETTER: Readonly<Record<NkeyRole, string>> = { account: 'A', server: 'N', user: 'U' }
const CURVE_LETTER = 'X'
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
/** RFC 8410: what stands before the 32 bytes of an Ed25519 key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/**
 * The signer of a seed (`SA…`). The library reads and checks the seed; Node signs, as the library's own
 * signature in JavaScript takes some 8 ms, and a broker that comes back asks for two of them a client.
 *
 * @throws NKeysError for what is no seed.
 */
export function signerOf(seed: string): Signer {
  const pair = fromSeed(new TextEncoder().encode(seed))
  const der = Buffer.concat([PRIVATE_PREFIX, seedBytesOf(seed)])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { publicKey: pair.getPublicKey(), sign: (data) => sign(null, Buffer.from(data), key) }
}

/** Whether `publicKey` signed `data`. False also for what is no public key. */
export function isSignedBy(publicKey: string, data: string, signature: Buffer): boolean {
  const key = keyOf(publicKey)
  return key !== undefined && verify(null, Buffer.from(data), key, signature)
}

/** Whether this is the public key of such a one. */
export function isPublicKey(role: NkeyRole, text: string): boolean {
  return text.startsWith(LETTER[role]) && keyOf(text) !== undefined
}

/** The 32 bytes of a curve key (`X…`); undefined for what is none. */
export function curveKeyOf(publicKey: string): Uint8Array | undefined {
  return publicKey.startsWith(CURVE_LETTER) ? bytesOf(publicKey) : undefined
}

/** The 32 bytes of a seed that the library found to be one. */
export function seedBytesOf(seed: string): Buffer {
  // Two bytes say what it is, and two of a checksum follow.
  return base32(seed).subarray(2, 34)
}

function keyOf(publicKey: string): KeyObject | undefined {
  const bytes = bytesOf(publicKey)
  if (!bytes) return undefined
  return createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, bytes]), format: 'der', type: 'spki' })
}

function bytesOf(publicKey: string): Buffer | undefined {
  if (!/^[A-Z2-7]{56}$/.test(publicKey)) return undefined
  const bytes = base32(publicKey)
  const body = bytes.subarray(0, 33)
  return crc16(body) === bytes.readUInt16LE(33) ? body.subarray(1) : undefined
}

/** RFC 4648, without padding. */
function base32(text: string): Buffer {
  const bytes: number[] = []
  let held = 0
  let bits = 0
  for (const letter of text) {
    held = ((held << 5) | ALPHABET.indexOf(letter)) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((held >> bits) & 0xff)
  }
  return Buffer.from(bytes)
}

/** CRC-16/XMODEM, at the end of every nkey. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}
