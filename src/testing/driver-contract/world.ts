import type { ComputeDriver, GuestRef } from '../../virt/driver.ts'
import type { GuestAssignment } from '../../virt/guest-assignment.ts'

/** Where a driver is tried: its hypervisor, and what guests and strangers do there behind its back. */
export interface DriverWorld {
  /** Makes the instance that a guest belongs to, and answers its uid. */
  makeInstance(ref: { readonly namespace: string; readonly name: string }): Promise<string>
  /** A started driver for the host; every call makes a new one, as a restart of the agent does. */
  driver(host: string): Promise<ComputeDriver>
  /** What the hypervisor calls a host of `HOSTS`. */
  nodeOf(host: string): string
  /** What the conductor uses beside the drivers. */
  readonly assignment: GuestAssignment
  /** Puts a machine of somebody else's under the guest's name. */
  putForeign(guest: GuestRef): Promise<void>
  /** That machine is still there as it was put. */
  isForeignIntact(guest: GuestRef): Promise<boolean>
  /** From now on the guest does not heed a request to shut down or to reboot. */
  makeStubborn(guest: GuestRef): Promise<void>
  isAskedToShutDown(guest: GuestRef): Promise<boolean>
  guestPowersOff(guest: GuestRef): Promise<void>
  guestCrashes(guest: GuestRef): Promise<void>
  /** Names the guest's present run: it is another one when the guest was stopped and started. */
  runOf(guest: GuestRef): Promise<string>
  /** How often the guest rebooted itself in this run. */
  rebootsOf(guest: GuestRef): Promise<number>
  /** The images of the containerDisks that the guest was started with, the one it boots from first. */
  imagesOf(guest: GuestRef): Promise<readonly string[]>
  /** The size that the guest was started in. */
  sizeOf(guest: GuestRef): Promise<{ readonly vcpus: number; readonly memoryMb: number } | undefined>
  /** Whether the hypervisor can save a guest's memory to disk. */
  readonly canSuspend: boolean
  /** Whether the hypervisor can see that a guest does not react to being asked to reboot. */
  readonly seesReboots: boolean
  /** Removes the guest without the driver. */
  removeGuest(guest: GuestRef): Promise<void>
  /** Guests that are started from now on do not come up. */
  holdBoot(): void
  /** Guests that are started come up again. */
  releaseBoot(): Promise<void>
  /** Anything at all of this name is there. */
  exists(guest: GuestRef): Promise<boolean>
  /** Lets the drivers' time pass. */
  elapse(ms: number): Promise<void>
  /** Stops everything, the drivers too. */
  close(): Promise<void>
}

/** The two hosts a world must have. */
export const HOSTS = ['node-1', 'node-2'] as const
