import type { SnapshotOwnership } from '../snapshot-ownership.ts'

/** The fake hypervisor's snapshots are names alone: there is nothing to remove. */
export class FakeSnapshotOwnership implements SnapshotOwnership {
  async giveTo(): Promise<void> {}
}
