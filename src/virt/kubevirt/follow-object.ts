import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import { Informer } from '../../kube/informer.ts'
import { type KubeObject, keyOf, refOf, type ResourceType } from '../../kube/resource.ts'
import { waitUntil } from '../wait-until.ts'

/**
 * Follows one object until `look` answers something other than undefined, and resolves with it. It is shown undefined
 * when the object is gone. Rejects with the signal's reason, or with what `look` throws.
 */
export async function followObject<T extends KubeObject, R>(
  deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
  followed: {
    readonly type: ResourceType<T>
    readonly object: T
    readonly signal: AbortSignal | undefined
  },
  look: (object: T | undefined) => R | undefined,
): Promise<R> {
  const { type, object, signal } = followed
  const { namespace, name } = object.metadata
  const informer = new Informer(deps, { type, namespace, fieldSelector: `metadata.name=${name}` })
  const key = keyOf(refOf(object))
  const changes = {
    clock: deps.clock,
    onChange: (listener: () => void) => informer.onChange(() => listener()),
  }
  informer.start()
  try {
    await informer.synced(signal)
    // There is no timeout: it ends with an answer or rejects.
    return (await waitUntil(changes, () => look(informer.store.get(key)), { signal })) as R
  } finally {
    await informer.stop()
  }
}
