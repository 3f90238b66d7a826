import type { GuestAssignment } from '../guest-assignment.ts'

/** The fake hypervisor's guests bear no mark of whose they are: each is its host's, and `finishMigration` takes it over. */
export class FakeGuestAssignment implements GuestAssignment {
  async assign(): Promise<void> {}

  async allowMove(): Promise<void> {}

  async takeAway(): Promise<void> {}
}
