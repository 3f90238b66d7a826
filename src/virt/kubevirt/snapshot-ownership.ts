import type { RequestContext } from '../../common/context.ts'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import type { Logger } from '../../common/log.ts'
import { ApiError, isConflict, isForbidden, isNotFound, isRetryable } from '../../kube/api-error.ts'
import type { KubeClient } from '../../kube/client.ts'
import { refOf } from '../../kube/resource.ts'
import type { GuestRef } from '../driver.ts'
import type { ImageReference, SnapshotOwnership } from '../snapshot-ownership.ts'
import { INSTANCE_UID_LABEL } from './ownership.ts'
import { retrying } from './retrying.ts'
import { VIRTUAL_MACHINE_SNAPSHOT, type VirtualMachineSnapshot } from './snapshot-resource.ts'
import { toUnavailable } from './to-unavailable.ts'

/** Has Kubernetes' garbage collector remove a VirtualMachineSnapshot after its Image. KubeVirt removes what it holds. */
export class KubeVirtSnapshotOwnership implements SnapshotOwnership {
  readonly #client: KubeClient
  readonly #clock: Clock
  readonly #log: Logger

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger }) {
    this.#client = deps.client
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.virt.kubevirt.snapshot')
  }

  async giveTo(ctx: RequestContext, guest: GuestRef, name: string, image: ImageReference): Promise<void> {
    const log = this.#log.with(ctx, guest.uid)
    try {
      for (;;) {
        const snapshot = await this.#find(guest, name)
        if (snapshot?.metadata.labels?.[INSTANCE_UID_LABEL] !== guest.uid) {
          return log.warn('There is no snapshot to go with the image', { name, image: image.name })
        }
        const { ownerReferences: owners = [] } = snapshot.metadata
        if (owners.some(({ uid }) => uid === image.uid)) return
        if (await this.#write(snapshot, [...owners, image])) {
          return log.info('The snapshot goes with its image', { name, image: image.name })
        }
      }
    } catch (error) {
      if (!isRefusal(error)) toUnavailable(error)
      log.warn('The snapshot cannot go with its image: remove it by hand when the image is gone', {
        name,
        image: image.name,
        reason: messageOf(error),
      })
    }
  }

  async #find({ namespace }: GuestRef, name: string): Promise<VirtualMachineSnapshot | undefined> {
    // One that names nothing means that the kind is not served: not yet, it may be.
    const isAnswer = (error: unknown) => isNotFound(error) && error.details?.name === name
    const isWorthARetry = (error: unknown) => isRetryable(error) || (isNotFound(error) && !isAnswer(error))
    try {
      return await retrying(
        this.#clock,
        async () => this.#client.get(VIRTUAL_MACHINE_SNAPSHOT, { namespace, name }),
        isWorthARetry,
      )
    } catch (error) {
      if (isAnswer(error)) return undefined
      throw error
    }
  }

  /** Whether it was written: over this very version, so that what KubeVirt writes meanwhile is not lost. */
  async #write(snapshot: VirtualMachineSnapshot, ownerReferences: readonly object[]): Promise<boolean> {
    const { resourceVersion } = snapshot.metadata
    const patch = { metadata: { ownerReferences } }
    try {
      await retrying(this.#clock, async () =>
        this.#client.mergePatch(VIRTUAL_MACHINE_SNAPSHOT, refOf(snapshot), patch, { resourceVersion }),
      )
      return true
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false
      throw error
    }
  }
}

/** The image can be used as it is: it waits for no right that the installation does not give, either. */
function isRefusal(error: unknown): boolean {
  return isForbidden(error) || (error instanceof ApiError && !isRetryable(error))
}
