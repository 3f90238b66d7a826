import type { InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import type { TaskState } from '../../apis/v1alpha1/states.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import type { FaultyMethod } from '../../virt/fake/faults.ts'

export const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
export const BIG = { name: 'm1.big', vcpus: 2, memoryMb: 1024, diskGb: 2 }
/** The image that the snapshot among the cases makes. */
export const SNAPSHOT_IMAGE = 'snap'

type Power = 'RUNNING' | 'SHUTDOWN' | 'PAUSED' | 'SUSPENDED'

/** Where a guest is, and whether it runs. */
export interface CaseGuest {
  readonly host: string
  readonly power: Power
}

/** A message to an agent, and all that follows from it. */
export interface OperationCase {
  readonly name: string
  readonly method: HostMethod
  /** Whose agent gets it. */
  readonly on: 'node-1' | 'node-2'
  readonly before: InstanceStatus & { readonly taskState: TaskState }
  readonly guest: CaseGuest
  /** What the driver is asked, in this order. */
  readonly calls: readonly FaultyMethod[]
  /** The state it leads to, as far as it is told. */
  readonly after: InstanceStatus
  /** What has no value any more; `taskState` where the operation is over. */
  readonly cleared: readonly (keyof InstanceStatus)[]
  readonly guestAfter: CaseGuest | undefined
  /** The line that says what was done. */
  readonly says: string
  /** The message that another host gets then: it is its turn, or it has nothing to do with the instance any more. */
  readonly next?: string
}

/** A case without what most have alike: it is on node-1, and ends the operation. */
export type Short = Omit<OperationCase, 'on' | 'cleared' | 'before'> &
  Partial<Pick<OperationCase, 'on' | 'cleared'>> & {
    readonly before: InstanceStatus & { readonly taskState: TaskState }
  }

export const RUNNING = { powerState: 'RUNNING' } as const
export const OFF = { powerState: 'SHUTDOWN', addresses: [] } as const
export const ACTIVE = { vmState: 'active', status: 'ACTIVE', ...RUNNING } as const
export const STOPPED = { vmState: 'stopped', status: 'SHUTOFF', ...OFF } as const

export function at(host: string, power: Power): CaseGuest {
  return { host, power }
}
