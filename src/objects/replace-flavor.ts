import type { FlavorSize, InstanceFlavor } from './build-request.ts'

/** A flavor in a merge patch: `null` takes an extra spec away, or all of them. */
interface FlavorPatch extends FlavorSize {
  readonly extraSpecs?: Readonly<Record<string, string | null>> | null | undefined
}

/**
 * What puts a flavor in the place of another in a merge patch, which leaves what it does not name: without this an instance
 * would have the extra specs of its old flavor as well.
 */
export function replaceFlavor(held: InstanceFlavor | undefined, flavor: InstanceFlavor): FlavorPatch {
  const old = held?.extraSpecs
  if (!old) return flavor
  if (!flavor.extraSpecs) return { ...flavor, extraSpecs: null }
  const none = Object.fromEntries(Object.keys(old).map((name) => [name, null]))
  return { ...flavor, extraSpecs: { ...none, ...flavor.extraSpecs } }
}
