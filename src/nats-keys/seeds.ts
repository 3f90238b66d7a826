import { createAccount, createCurve, createUser, fromCurveSeed, fromSeed, type KeyPair } from '@nats-io/nkeys'
import type { Entries } from './store.ts'

/** A Secret holds what cannot be used, and is not replaced: somebody may need what is in it. */
export class UnusableKey extends Error {}

interface Role {
  readonly make: () => KeyPair
  readonly read: (seed: Uint8Array) => KeyPair
  /** What its public key begins with. */
  readonly letter: string
  /** What nats-server's configuration calls it by. */
  readonly variable: string
}

/** The file names under which nats-auth finds its seeds. */
const ROLES: Readonly<Record<string, Role>> = {
  'issuer.nk': { make: createAccount, read: fromSeed, letter: 'A', variable: 'ISSUER' },
  'user.nk': { make: createUser, read: fromSeed, letter: 'U', variable: 'AUTH_USER' },
  'xkey.nk': { make: createCurve, read: fromCurveSeed, letter: 'X', variable: 'XKEY' },
}

/** The seeds that are missing, newly made. */
export function missingSeeds(present: Entries): Entries {
  const missing = Object.entries(ROLES).filter(([name]) => present[name] === undefined)
  return Object.fromEntries(missing.map(([name, { make }]) => [name, textOf(make().getSeed())]))
}

/**
 * The public keys of seeds, by the names of nats-server's environment.
 *
 * @throws UnusableKey naming the seed that is none.
 */
export function publicKeys(seeds: Entries): Entries {
  return Object.fromEntries(
    Object.entries(ROLES).map(([name, role]) => [role.variable, publicKeyOf(name, role, seeds[name] ?? '')]),
  )
}

function publicKeyOf(name: string, role: Role, seed: string): string {
  try {
    const key = role.read(new TextEncoder().encode(seed.trim())).getPublicKey()
    if (key.startsWith(role.letter)) return key
  } catch {
    // The library's own words would be no help: below it says which one, and what to do.
  }
  throw new UnusableKey(`${name} is no seed of its kind; remove it from the Secret to have a new one made`)
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
