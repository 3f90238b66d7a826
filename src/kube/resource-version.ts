import type { KubeObject } from './resource.ts'

/**
 * Orders two resource versions of one API server: negative when `a` is older. Kubernetes promises since 1.35
 * (KEP-5504) that they are decimal integers of any size; none or an empty one is older than all.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number {
  const left = a ?? ''
  const right = b ?? ''
  if (left.length !== right.length) return left.length - right.length
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** Whether `object` was written later than `other`. */
export function isNewer(object: KubeObject, other: KubeObject): boolean {
  return compareResourceVersions(object.metadata.resourceVersion, other.metadata.resourceVersion) > 0
}
