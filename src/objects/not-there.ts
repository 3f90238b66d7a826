import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { isNotFound } from '../kube/api-error.ts'

/**
 * Whether the server says that this very object is not there. A 404 that names no object says that it does not
 * serve our kinds just now; taking that for a deletion would have guests removed that are wanted.
 * @throws KubernetesUnavailable for such a 404
 */
export function isNotThere(error: unknown, name: string): boolean {
  if (!isNotFound(error)) return false
  if (error.details?.name === name) return true
  throw new KubernetesUnavailable({ reason: error.message }, { cause: error })
}
