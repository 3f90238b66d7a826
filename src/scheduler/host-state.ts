import type { FlavorSize } from '../objects/build-request.ts'

/** Amounts of what is booked. */
export interface Amounts {
  readonly vcpus: number
  /** MiB. */
  readonly memoryMb: number
  /** GiB. */
  readonly diskGb: number
}

/** A group of hosts that the operator made, with what it says of them. nova.objects.Aggregate. */
export interface AggregateState {
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * What a host could take and has taken, as a decision sees it. One that is given out never changes: the next
 * state of a host is another object. nova.scheduler.host_manager.HostState.
 */
export interface HostState {
  readonly host: string
  /** Whether the operator lets new instances in. */
  readonly enabled: boolean
  readonly disabledReason?: string | undefined
  /** Whether the agent reports. */
  readonly up: boolean
  readonly downReason?: string | undefined
  readonly availabilityZone: string
  readonly hypervisorType?: string | undefined
  readonly architecture?: string | undefined
  /** The address that its agent reports. Nova: host_ip. */
  readonly hostIp?: string | undefined
  readonly inventory: Amounts
  readonly reserved: Amounts
  readonly ratios: { readonly cpu: number; readonly memory: number; readonly disk: number }
  readonly used: Amounts
  readonly aggregates: readonly AggregateState[]
  /** Of its Node. */
  readonly labels: Readonly<Record<string, string>>
  readonly traits: readonly string[]
  readonly instances: number
  /** Instances that are being built or moved, which is work for its disks. Nova: io_workload. */
  readonly ioOps: number
  /** Builds that failed here since the last that did not. */
  readonly failedBuilds: number
  /** Where a weigher asks for it: how many instances have an image with a property, by `name=value`. */
  readonly imageProperties?: ReadonlyMap<string, number> | undefined
  /** Multipliers that its aggregates change, by weigher. */
  readonly weightMultipliers?: Readonly<Record<string, number>> | undefined
}

export const NOTHING: Amounts = { vcpus: 0, memoryMb: 0, diskGb: 0 }

export function plus(a: Amounts, b: Amounts): Amounts {
  return { vcpus: a.vcpus + b.vcpus, memoryMb: a.memoryMb + b.memoryMb, diskGb: a.diskGb + b.diskGb }
}

export function minus(a: Amounts, b: Amounts): Amounts {
  return { vcpus: a.vcpus - b.vcpus, memoryMb: a.memoryMb - b.memoryMb, diskGb: a.diskGb - b.diskGb }
}

/** What an instance of this flavor books. */
export function amountsOf(flavor: FlavorSize): Amounts {
  return { vcpus: flavor.vcpus, memoryMb: flavor.memoryMb, diskGb: flavor.diskGb }
}

/** What may be booked in all: (total − reserved) × ratio, rounded down as placement does. */
export function capacityOf(host: Pick<HostState, 'inventory' | 'reserved' | 'ratios'>): Amounts {
  const { inventory, reserved, ratios } = host
  return {
    vcpus: Math.floor(Math.max(0, inventory.vcpus - reserved.vcpus) * ratios.cpu),
    memoryMb: Math.floor(Math.max(0, inventory.memoryMb - reserved.memoryMb) * ratios.memory),
    diskGb: Math.floor(Math.max(0, inventory.diskGb - reserved.diskGb) * ratios.disk),
  }
}

/** What may still be booked. */
export function freeOn(host: HostState): Amounts {
  return minus(capacityOf(host), host.used)
}
