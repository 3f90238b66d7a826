import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../../common/context.ts'
import { creationRequestId, requestIdOf } from '../../common/ids.ts'

/** On an Instance: who made its spec what it is. A policy of the chart's stamps it, and lets nobody else. */
export const REQUESTED_BY_ANNOTATION = 'compute.kilonova.dev/requested-by'

/** Kubernetes does not tell a controller who changed an object. */
const UNKNOWN_USER = '-'
/** As much as a record takes. */
const MAX_USER = 1024

/** The id of the request that made the instance what its spec is now: the same whoever works on it, and however often. */
export function specRequestId({ metadata }: Instance): string {
  return requestIdOf(metadata.uid ?? '', metadata.generation ?? 1)
}

/** Reads off an instance under which request it is worked on, and whose that is. */
export class RequestContexts {
  readonly #trustsRequester: boolean

  /** @param options.trustsRequester the cluster stamps who asked: without that, anybody could write anything there */
  constructor(options: { readonly trustsRequester: boolean }) {
    this.#trustsRequester = options.trustsRequester
  }

  /** The request that made the instance what its spec is now. */
  of(instance: Instance): RequestContext {
    return this.#context(instance, specRequestId(instance))
  }

  /**
   * The request whose operation is in flight: the spec may have changed since. One that no service has written down
   * yet is the creation.
   */
  inFlight(instance: Instance): RequestContext {
    return this.#context(
      instance,
      instance.status.requestId ?? creationRequestId(instance.metadata.uid ?? ''),
    )
  }

  #context(instance: Instance, requestId: string): RequestContext {
    const { uid = '', namespace = '-' } = instance.metadata
    // The stamp is of the last change of spec, and says nothing of an earlier one.
    const user = requestId === specRequestId(instance) ? this.#requesterOf(instance) : UNKNOWN_USER
    return { requestId, user, project: namespace, instanceUid: uid }
  }

  /** A delete is no write, so nothing can be stamped on what is deleted. */
  #requesterOf({ metadata }: Instance): string {
    if (!this.#trustsRequester || metadata.deletionTimestamp !== undefined) return UNKNOWN_USER
    return metadata.annotations?.[REQUESTED_BY_ANNOTATION]?.slice(0, MAX_USER) || UNKNOWN_USER
  }
}
