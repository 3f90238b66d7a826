import { createHash, randomUUID } from 'node:crypto'

/** Makes ids that are unique. Injected, so that a test can hold them. */
export interface IdGenerator {
  /** A random UUID. */
  uuid(): string
}

export class RandomIds implements IdGenerator {
  uuid(): string {
    return randomUUID()
  }
}

/** Kilonova's UUIDv5 namespace. Never change it: request ids would change with it. */
const REQUEST_NAMESPACE = '5f2b3bd0-6f0e-5c1c-9a53-6a2f3a0c7d11'

/** UUIDv5 (RFC 9562): the same namespace and name always give the same UUID. */
export function uuidV5(namespace: string, name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = hash.toString('hex', 0, 16)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/**
 * The request id of a change to a resource: a pure function of its UID and generation, so that a retry or a
 * new leader carries on under the id of the request it takes up.
 */
export function requestIdOf(uid: string, generation: number): string {
  return `req-${uuidV5(REQUEST_NAMESPACE, `${uid}/${generation}`)}`
}

/** The id of the request that created a resource: also when its spec has changed before anybody looked at it. */
export function creationRequestId(uid: string): string {
  return requestIdOf(uid, 1)
}

/** A request id for work that no resource asked for: start-up, periodic tasks. */
export function newRequestId(ids: IdGenerator): string {
  return `req-${ids.uuid()}`
}
