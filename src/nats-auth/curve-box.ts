import { createRequire } from 'node:module'
import { fromCurveSeed } from '@nats-io/nkeys'
import { curveKeyOf, seedBytesOf } from './nkey.ts'

/** NaCl as the nkeys library itself uses it; it offers no part of it. */
const { default: nacl } = createRequire(import.meta.url)(
  '@nats-io/nkeys/lib/nacl.js',
) as typeof import('@nats-io/nkeys/lib/nacl.js')

/** What a sealed message begins with: `xkv1`. */
const VERSION = Buffer.from('xkv1')
/** Each server of NATS has a key of its own, and another one whenever it starts. */
const MOST_PEERS = 64

/**
 * Seals for and opens from holders of curve keys (`X…`), as the nkeys library does. What both keys make together is
 * worked out once a peer and not with each message: in JavaScript that takes milliseconds, and a broker that comes back asks for
 * all its clients at once.
 */
export class CurveBox {
  readonly #seed: Uint8Array
  readonly #shared = new Map<string, Uint8Array>()

  /** @throws NKeysError for what is no seed (`SX…`). */
  constructor(seed: string) {
    fromCurveSeed(new TextEncoder().encode(seed))
    this.#seed = seedBytesOf(seed)
  }

  /** @throws TypeError for what is no key of a peer. */
  seal(message: Uint8Array, peer: string): Uint8Array {
    const nonce = nacl.randomBytes(nacl.secretbox.nonceLength)
    return Buffer.concat([VERSION, nonce, nacl.secretbox(message, nonce, this.#sharedWith(peer))])
  }

  /**
   * Undefined for what this peer did not seal for us.
   * @throws TypeError for what is no key of a peer.
   */
  open(sealed: Uint8Array, peer: string): Uint8Array | undefined {
    const nonceEnd = VERSION.length + nacl.secretbox.nonceLength
    if (sealed.length <= nonceEnd || VERSION.compare(sealed, 0, VERSION.length) !== 0) return undefined
    const nonce = sealed.subarray(VERSION.length, nonceEnd)
    return nacl.secretbox.open(sealed.subarray(nonceEnd), nonce, this.#sharedWith(peer)) ?? undefined
  }

  #sharedWith(peer: string): Uint8Array {
    const known = this.#shared.get(peer)
    if (known) return known
    const key = curveKeyOf(peer)
    if (!key) throw new TypeError('the broker shows no curve key')
    const shared = nacl.box.before(key, this.#seed)
    if (this.#shared.size >= MOST_PEERS) this.#shared.clear()
    this.#shared.set(peer, shared)
    return shared
  }
}
