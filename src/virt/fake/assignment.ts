import type { RequestContext } from '../../common/context.ts'
import type { GuestRef } from '../driver.ts'
import type { GuestAssignment } from '../guest-assignment.ts'

/**
 * The fake hypervisor's guests bear no mark of whose they are: each is its host's, and `finishMigration` takes it over. What was
 * taken from a dead host is remembered, as it is not on its new one yet.
 */
export class FakeGuestAssignment implements GuestAssignment {
  readonly #takenTo = new Map<string, string>()

  async assign(_ctx: RequestContext, guest: GuestRef): Promise<void> {
    this.#takenTo.delete(guest.uid)
  }

  async allowMove(): Promise<void> {}

  async takeAway(_ctx: RequestContext, guest: GuestRef, to: string): Promise<void> {
    this.#takenTo.set(guest.uid, to)
  }

  async isAssignedTo(_ctx: RequestContext, guest: GuestRef, host: string): Promise<boolean> {
    return this.#takenTo.get(guest.uid) === host
  }
}
