import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../../common/context.ts'
import { creationRequestId, requestIdOf } from '../../common/ids.ts'

/** Kubernetes does not tell a controller who changed an object. */
const UNKNOWN_USER = '-'

/** The request that made the instance what its spec is now: the same whoever works on it, and however often. */
export function requestOf(instance: Instance): RequestContext {
  const { uid = '', generation = 1, namespace = '-' } = instance.metadata
  return { requestId: requestIdOf(uid, generation), user: UNKNOWN_USER, project: namespace, instanceUid: uid }
}

/**
 * The request whose operation is in flight: the spec may have changed since. One that no service has written down
 * yet is the creation.
 */
export function requestInFlight(instance: Instance): RequestContext {
  const { requestId = creationRequestId(instance.metadata.uid ?? '') } = instance.status
  return { ...requestOf(instance), requestId }
}
