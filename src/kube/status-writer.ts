import type { KubeClient } from './client.ts'
import { type KubeObject, type ResourceType, refOf } from './resource.ts'

/**
 * Merges `statusPatch` into the object's status, if the object is still exactly as given: Nova's
 * `save(expected_task_state=…)`. Returns the object as written; give it to the informer's `observe`. Rejects
 * with an ApiError for which `isConflict` holds when somebody wrote first (normal: look again), or `isNotFound`.
 */
export async function patchStatus<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  statusPatch: object,
): Promise<T> {
  // The version also tells this object from a later one of its name: none is ever used twice.
  const { resourceVersion } = object.metadata
  return client.mergePatch(
    type,
    refOf(object),
    { status: statusPatch },
    { subresource: 'status', resourceVersion },
  )
}
