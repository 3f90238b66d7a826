import type { Doings } from './audit.ts'
import type { Memory } from './processes.ts'
import type { Counts, Percentiles } from './statistics.ts'
import type { Yardstick } from './yardstick.ts'

/** One phase at full speed. */
export interface Phase {
  readonly count: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly latency: Percentiles
  /** Writes by our services in all, by name; Events among them. */
  readonly ourWrites: Counts
  readonly standInWrites: Counts
  readonly userWrites: Counts
  /** CPU seconds by process, ours and those we work with. */
  readonly cpu: Counts
  /** Cores that were busy meanwhile with nothing of this benchmark. */
  readonly othersCores: number
}

/** One run of everything, without audit logging. */
export interface SpeedRun {
  readonly singleLaunch: Percentiles
  readonly singleStop: Percentiles
  readonly launches: Phase
  readonly stops: Phase
  /** Before anything was launched, and after everything. */
  readonly memoryIdle: Readonly<Record<string, Memory>>
  readonly memoryLoaded: Readonly<Record<string, Memory>>
  /** Before our services ran, and after they were stopped. */
  readonly yardsticks: readonly Yardstick[]
}

/** The cores that others' work took in the more disturbed of the two phases. */
export function othersCores({ launches, stops }: SpeedRun): number {
  return Math.max(launches.othersCores, stops.othersCores)
}

/** The smaller run with audit logging: whose writes they are. */
export interface AuditedRun {
  readonly count: number
  readonly launches: Doings
  readonly stops: Doings
  readonly idleSeconds: number
  readonly idle: Doings
}

export interface Machine {
  readonly cores: number
  readonly memoryGb: number
  /** The nice value of the benchmark and all it started. */
  readonly nice: number
  readonly versions: Readonly<Record<string, string>>
}

export interface Result {
  readonly date: string
  readonly machine: Machine
  readonly options: {
    readonly launches: number
    readonly concurrency: number
    readonly agents: number
    readonly single: number
    readonly quiet: boolean
  }
  readonly runs: readonly SpeedRun[]
  readonly audited: AuditedRun
}
