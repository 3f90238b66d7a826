import type { Clock } from '../../common/clock.ts'
import type { RequestContext } from '../../common/context.ts'
import type { Logger } from '../../common/log.ts'
import type { ConductorApi } from '../../conductor/api.ts'
import type { InstanceView } from '../../conductor/rpcapi.ts'
import type { ComputeDriver } from '../../virt/driver.ts'
import type { HostOperation } from '../instance-operations.ts'
import type { ResourceTracker, Usage } from '../resource-tracker.ts'

/** What the operations of an agent work with. */
export interface OperationDeps {
  readonly driver: ComputeDriver
  readonly conductor: ConductorApi
  readonly tracker: ResourceTracker
  readonly clock: Clock
  readonly log: Logger
}

export interface OperationOptions {
  readonly host: string
  /** How long a guest gets to shut itself down where its image does not say. Nova: shutdown_timeout, 60 s. */
  readonly shutdownTimeoutMs: number
}

/** One message's worth of work: whose request it is, and what ends it. */
export interface Call {
  readonly ctx: RequestContext
  /** Aborted when the instance is being deleted. */
  readonly signal: AbortSignal
  /** What this host can take in all, where the scheduler said so. */
  readonly limits?: Usage | undefined
}

/** Makes of a message the work it asks for. */
export type OperationMaker = (call: Call) => Omit<HostOperation, 'method'>

/** How long the guest of an instance gets to shut itself down. */
export function shutdownTimeoutMs(instance: InstanceView, options: OperationOptions): number {
  const { shutdownTimeoutSeconds } = instance
  return shutdownTimeoutSeconds === undefined ? options.shutdownTimeoutMs : shutdownTimeoutSeconds * 1000
}
