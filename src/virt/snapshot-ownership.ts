import type { RequestContext } from '../common/context.ts'
import type { GuestRef } from './driver.ts'

/** The Image that is made of a snapshot, as what belongs to it names it. */
export interface ImageReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

/**
 * Says what a snapshot is kept for. The conductor does, which makes the Images: what an agent makes belongs to no Image that is
 * there yet.
 */
export interface SnapshotOwnership {
  /**
   * From now on the guest's snapshot of that name goes with the image: at once, where that is gone already. May be called again.
   * One that is not there, is not of this guest, or must not be changed, is not touched and no error.
   * @throws KubernetesUnavailable when it could not be written; the same call may succeed later
   */
  giveTo(ctx: RequestContext, guest: GuestRef, name: string, image: ImageReference): Promise<void>
}
