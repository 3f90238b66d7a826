import type { RequestContext } from '../common/context.ts'
import type { GuestMoves } from './guest-moves.ts'

/** nova.compute.power_state, by name. */
export type PowerState = 'NOSTATE' | 'RUNNING' | 'PAUSED' | 'SHUTDOWN' | 'CRASHED' | 'SUSPENDED'

/** Which guest: the instance's identity. The uid decides; names come again after a delete. */
export interface GuestRef {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** Where the root disk comes from. */
export type DiskSource =
  | { readonly kind: 'containerDisk'; readonly image: string }
  | { readonly kind: 'persistentVolumeClaim'; readonly claimName: string }
  | {
      readonly kind: 'dataVolume'
      readonly source: DataVolumeSource
      readonly storageClassName?: string | undefined
    }

export type DataVolumeSource =
  | { readonly http: { readonly url: string } }
  | { readonly registry: { readonly url: string } }
  | { readonly pvc: { readonly namespace: string; readonly name: string } }
  /** A VolumeSnapshot, of this guest's disk or another's. */
  | { readonly snapshot: { readonly namespace: string; readonly name: string } }

/** Image properties a driver honours, under Glance's names. */
export interface ImageProperties {
  readonly hw_architecture?: 'x86_64' | 'aarch64' | 's390x' | undefined
  readonly hw_disk_bus?: string | undefined
  readonly hw_vif_model?: string | undefined
  readonly hw_machine_type?: string | undefined
  readonly hw_firmware_type?: 'bios' | 'uefi' | undefined
  readonly img_config_drive?: 'mandatory' | 'optional' | undefined
}

/** Everything a driver needs to make a guest. */
export interface GuestSpec extends GuestRef {
  readonly hostname: string
  readonly vcpus: number
  /** MiB. */
  readonly memoryMb: number
  /** Root disk in GiB; 0 means the image's own size. */
  readonly diskGb: number
  readonly disk: DiskSource
  readonly properties: ImageProperties
  /** cloud-init user data in base64. */
  readonly userData?: string | undefined
  /** A Secret of the instance's namespace with cloud-init user data under the key `userdata`. */
  readonly userDataSecret?: string | undefined
}

export interface GuestAddress {
  readonly address: string
  readonly network?: string | undefined
  readonly macAddress?: string | undefined
}

/** What the hypervisor knows of a guest. */
export interface GuestInfo extends GuestRef {
  readonly powerState: PowerState
  readonly addresses: readonly GuestAddress[]
}

/** What a host has, and what kind of host it is. */
export interface HostResources {
  readonly vcpus: number
  /** MiB. */
  readonly memoryMb: number
  /** GiB. */
  readonly diskGb: number
  /** `kvm`, `qemu` or `fake`. */
  readonly hypervisorType: string
  /** `x86_64`, `aarch64` or `s390x`. */
  readonly architecture: string
  /** The address at which the other hosts know it; undefined when there is none. */
  readonly hostIp?: string | undefined
  /** The zone the host stands in; undefined when it says none. */
  readonly availabilityZone?: string | undefined
}

/** A guest changed its power state, whoever caused it. nova.virt.event.LifecycleEvent. */
export interface LifecycleEvent extends GuestRef {
  readonly powerState: PowerState
}

export interface PowerOffOptions {
  /** How long the guest may take to shut itself down, in milliseconds; then it is forced off. 0 forces at once. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface OperationOptions {
  /** Ends the wait for the hypervisor: the call then rejects with the signal's reason. What was asked goes on. */
  readonly signal?: AbortSignal | undefined
}

export interface SoftRebootOptions extends OperationOptions {
  /** How long the guest may take to react, in milliseconds, where the hypervisor can see that it does. */
  readonly timeoutMs: number
}

export interface RescueOptions extends OperationOptions {
  /** What to boot from. */
  readonly disk: DiskSource
}

export interface UnrescueOptions extends OperationOptions {
  /** Whether the guest shall run afterwards. */
  readonly powerOn: boolean
}

export interface ConsoleOptions {
  /** At most so many lines, the last ones. */
  readonly lines: number
}

export interface SpawnOptions {
  /** Aborted when the build is given up (the instance is deleted, the agent stops): spawn then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The contract with a hypervisor, as nova.virt.driver.ComputeDriver. One driver serves one host.
 *
 * Every method may be called again after a crash in the middle, and then brings the same end about: a
 * handler that is redelivered calls it a second time. `src/testing/driver-contract.ts` is the contract as
 * tests; every driver passes it.
 */
export interface ComputeDriver extends GuestMoves {
  /** Gets ready: waits until the hypervisor can be used (says so once in the log), then watches its guests. */
  start(signal?: AbortSignal): Promise<void>
  /** Stops watching. Guests go on. */
  stop(): Promise<void>

  /**
   * Whether each host has guests of its own, so that one left behind on a host is a copy; where it is not so, an instance has one
   * guest, whichever host may touch it.
   */
  readonly keepsGuestsPerHost: boolean

  /** Whether it sees its guests now: false while the hypervisor cannot be reached. For readiness. */
  isReady(): boolean

  /** What the host has. */
  getAvailableResource(): Promise<HostResources>

  /** The guests of ours on this host. */
  listInstances(): Promise<readonly GuestInfo[]>

  /** What the hypervisor knows of a guest now; `NOSTATE` when there is none. */
  getInfo(guest: GuestRef): Promise<GuestInfo>

  /**
   * Creates the guest and waits until it runs. When it is there already and ours, it is taken over as it is.
   * @throws InstanceExists when something of that name is there that is not ours: it is not touched
   * @throws InstanceDeployFailure when this host cannot run it (another may)
   * @throws InstanceUserDataMalformed when the Secret with the user data is missing or has none
   * @throws BuildAbortException when no host can
   * @throws ApiError (isRetryable) when the hypervisor cannot be asked now: the same call may succeed later
   */
  spawn(ctx: RequestContext, guest: GuestSpec, options?: SpawnOptions): Promise<GuestInfo>

  /**
   * Shuts the guest down, and forces it off after the timeout. A guest that is off or not there counts as off.
   * @throws InstancePowerOffFailure when the hypervisor refuses
   */
  powerOff(ctx: RequestContext, guest: GuestRef, options: PowerOffOptions): Promise<void>

  /**
   * Starts a guest that is off and waits until it runs. One that runs is left alone, a paused one too.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws InstancePowerOnFailure when it does not come up
   */
  powerOn(ctx: RequestContext, guest: GuestRef, options?: SpawnOptions): Promise<GuestInfo>

  /**
   * Stops the guest's CPUs; its memory stays. One that is paused, whoever did it, is left alone.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws GuestOperationFailure when the hypervisor refuses, as it does for a guest that is off
   */
  pause(ctx: RequestContext, guest: GuestRef, options?: OperationOptions): Promise<void>

  /** Lets a paused guest go on. One that runs is left alone. Throws as `pause`. */
  unpause(ctx: RequestContext, guest: GuestRef, options?: OperationOptions): Promise<void>

  /**
   * Saves the guest's memory to disk and switches it off. One that is suspended is left alone.
   * @throws NotSupported where the hypervisor cannot (KubeVirt; docs/adr/0008-suspend.md)
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws GuestOperationFailure when the hypervisor refuses, as it does for a guest that is off
   */
  suspend(ctx: RequestContext, guest: GuestRef, options?: OperationOptions): Promise<void>

  /** Starts a suspended guest where it was. One that runs is left alone. Throws as `suspend`. */
  resume(ctx: RequestContext, guest: GuestRef, options?: OperationOptions): Promise<void>

  /**
   * Asks a running guest to reboot itself, and resolves when it was asked and runs. Called again, it asks again.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws GuestOperationFailure when it cannot be asked (it is off, it is paused), or is seen not to react
   */
  softReboot(ctx: RequestContext, guest: GuestRef, options: SoftRebootOptions): Promise<void>

  /**
   * Pulls the plug and starts the guest anew, from any power state. It does not wait for a guest that hangs.
   * Called again after a crash in the middle, it may pull the plug once more.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws GuestOperationFailure when it does not go off, or does not come up
   */
  hardReboot(ctx: RequestContext, guest: GuestRef, options?: OperationOptions): Promise<GuestInfo>

  /**
   * Boots the guest from another disk, with its own as the second. It is forced off first if it runs: whoever wants
   * it to shut down properly switches it off before. One that runs from that disk is left alone.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws NotSupported when the hypervisor cannot boot a rescue from such a disk
   * @throws GuestOperationFailure when it does not go off, or does not come up
   */
  rescue(ctx: RequestContext, guest: GuestRef, options: RescueOptions): Promise<GuestInfo>

  /**
   * Ends a rescue: the rescue disk goes, and the guest runs from its own again, or stays off. It is forced off first
   * if it runs from the rescue disk. Throws as `rescue`.
   */
  unrescue(ctx: RequestContext, guest: GuestRef, options: UnrescueOptions): Promise<GuestInfo>

  /**
   * The last lines of the serial console of the present run, at most 100 KiB, the end of them.
   * @throws GuestNotFound when it is not there, or is being removed
   * @throws ConsoleNotAvailable when there is none, as for a guest that is off
   */
  getConsoleOutput(ctx: RequestContext, guest: GuestRef, options: ConsoleOptions): Promise<string>

  /** Removes the guest and all that was made for it, and waits until it is gone. Only ever touches our own. */
  destroy(ctx: RequestContext, guest: GuestRef): Promise<void>

  /** Tells of every change of power state. The returned function ends it. */
  onLifecycleEvent(listener: (event: LifecycleEvent) => void): () => void
}
