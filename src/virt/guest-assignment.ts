import type { RequestContext } from '../common/context.ts'
import type { GuestRef } from './driver.ts'

/**
 * Says which host may touch a guest. The conductor alone does: an agent has no right to change whose a guest is, so a
 * stolen node can neither take another's guest nor give its own away. The conductor calls after it checked on the
 * Instance that the host is entitled to the guest.
 *
 * Each call may be made again, and then changes nothing. A guest that is not there, or that is not this instance's, is
 * not touched and no error: nobody has it, and the driver that is asked for it next says so (`GuestNotFound`).
 */
export interface GuestAssignment {
  /**
   * From now on the guest is this host's alone, and starts there and nowhere else. Undefined: it is nobody's and cannot
   * be started at all, as when an instance is offloaded. Also ends what `allowMove` allowed, whichever way that went. A
   * guest that runs goes on where it runs.
   * @throws KubernetesUnavailable when it could not be written; the same call may succeed later
   */
  assign(ctx: RequestContext, guest: GuestRef, to: string | undefined): Promise<void>

  /**
   * The guest stays its host's, and may now be moved to `to` while it runs (`GuestMoves.liveMigrate`). To be ended by
   * `assign`: to `to` when it moved, to its old host when it did not.
   * @throws KubernetesUnavailable when it could not be written; the same call may succeed later
   */
  allowMove(ctx: RequestContext, guest: GuestRef, to: string): Promise<void>

  /**
   * As `assign`, from a host that may be dead: what still counts as running elsewhere is removed, and the call resolves
   * when nothing of it is left, so that the guest can start on `to`.
   * @throws InstancePowerOffFailure when what ran there does not go away
   * @throws KubernetesUnavailable when it could not be written; the same call may succeed later
   */
  takeAway(ctx: RequestContext, guest: GuestRef, to: string, options: TakeAwayOptions): Promise<void>

  /**
   * Whether the guest is this host's by now.
   * @throws KubernetesUnavailable when it could not be read; the same call may succeed later
   */
  isAssignedTo(ctx: RequestContext, guest: GuestRef, host: string): Promise<boolean>
}

export interface TakeAwayOptions {
  /**
   * Whether nobody on the old host ends anything any more: then what counts as running there is struck off. Nothing here can
   * tell a dead host from one that is only cut off and still runs the guest: who calls must have fenced it, as before Nova's
   * evacuate. From a host that is up the guest has to be seen to end.
   */
  readonly byForce: boolean
}
