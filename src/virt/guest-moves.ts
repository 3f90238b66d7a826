import type { RequestContext } from '../common/context.ts'
import type { DataVolumeSource, GuestInfo, GuestRef, GuestSpec } from './driver.ts'

export interface FinishMigrationOptions {
  /** Whether the guest runs in the end; otherwise it stays off. */
  readonly powerOn: boolean
  /** Aborted when it is given up: the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

export interface LiveMigrateOptions {
  /** The host the guest moves to. */
  readonly to: string
  /** Aborted when the wait is given up: the call then rejects with its reason, and the migration goes on. */
  readonly signal?: AbortSignal | undefined
}

export interface SnapshotOptions {
  /** What the snapshot is called: a name of Kubernetes, the same in every call for the same snapshot. */
  readonly name: string
  readonly signal?: AbortSignal | undefined
}

/** A snapshot of a root disk, as the source of the disks that are made from it. */
export type SnapshotSource = Extract<DataVolumeSource, { readonly snapshot: object }>

/**
 * The part of a driver that moves guests and copies their disks. As all of a driver, each call may be made again after
 * a crash in the middle.
 */
export interface GuestMoves {
  /**
   * On the host that a guest came to (or came back to), and that it was assigned to: gives the guest, which is off, the
   * size and the user data of the spec, and starts it or leaves it off. A root disk that is a DataVolume grows to the
   * spec's size and never shrinks. A guest that runs with that size already is left alone. Where the hypervisor keeps
   * guests per host (the fake one), the guest is made here. nova.virt.driver.ComputeDriver.finish_migration, and
   * finish_revert_migration on the way back.
   * @throws GuestNotFound when it is not there, or not this host's, or is being removed
   * @throws MigrationError when it runs in another size, or when its disk cannot grow
   * @throws InstancePowerOnFailure when it does not come up
   * @throws ApiError (isRetryable) when the hypervisor cannot be asked now: the same call may succeed later
   */
  finishMigration(ctx: RequestContext, guest: GuestSpec, options: FinishMigrationOptions): Promise<GuestInfo>

  /**
   * On the host that a guest runs on: moves it to another one while it runs, and resolves when it runs there. The move
   * must have been allowed first (`GuestAssignment.allowMove`). Called again it goes on waiting for the same migration;
   * a guest that runs there already has moved. nova.virt.driver.ComputeDriver.live_migration.
   * @throws GuestNotFound when it is not there, or not this host's, or is being removed
   * @throws MigrationError when the guest stayed where it was, with the hypervisor's reason
   * @throws ApiError (isRetryable) when the hypervisor cannot be asked now: the same call may succeed later
   */
  liveMigrate(ctx: RequestContext, guest: GuestRef, options: LiveMigrateOptions): Promise<void>

  /**
   * Copies the guest's root disk as it is now, running or not, and resolves when other guests can be made from the copy.
   * The copy outlives the guest. nova.virt.driver.ComputeDriver.snapshot.
   * @throws GuestNotFound when it is not there, or not this host's, or is being removed
   * @throws NotSupported when its root disk is of a kind that cannot be copied, or the cluster takes no snapshots
   * @throws SnapshotFailure when the hypervisor could not make it
   * @throws ApiError (isRetryable) when the hypervisor cannot be asked now: the same call may succeed later
   */
  snapshot(ctx: RequestContext, guest: GuestRef, options: SnapshotOptions): Promise<SnapshotSource>
}
