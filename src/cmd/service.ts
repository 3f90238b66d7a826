import type { Clock } from '../common/clock.ts'
import type { IdGenerator } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { KubeClient } from '../kube/client.ts'
import type { RpcMeter } from '../rpc/meter.ts'
import type { Transport } from '../rpc/transport.ts'

/** What every service is built from. */
export interface ServiceDeps {
  readonly client: KubeClient
  readonly transport: Transport
  readonly clock: Clock
  readonly ids: IdGenerator
  readonly log: Logger
  readonly meter?: RpcMeter | undefined
}

/** Something a service cannot work without, and whether it is there. */
export interface Check {
  readonly name: string
  readonly isReady: () => boolean
}

/** A number of a service's own that Prometheus is told, by the values of one label. */
export interface ServiceGauge {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly read: () => ReadonlyMap<string, number>
}

/** One of our services, put together. */
export interface Service {
  /** `nova-api`, `nova-compute-node-1`. */
  readonly name: string
  /** Resolves when the service works; waits, and says so, for what is not there yet. Rejects when stopped first. */
  start(): Promise<void>
  /** Takes nothing new, finishes what it has begun, and leaves. */
  stop(): Promise<void>
  readonly checks: readonly Check[]
  /** Whether it leads its likes; not there for a service that all replicas of do alike. */
  readonly isLeading?: (() => boolean) | undefined
  readonly gauges?: readonly ServiceGauge[] | undefined
}

/**
 * A message that may pass is tried for about a quarter of an hour (1, 2, 4, … 30 s between tries) before it is
 * given up: long enough for an API server or a KubeVirt that is being upgraded.
 */
export const MAX_DELIVERIES = 32

/** How long a service that is stopped finishes what it has begun; the rest is handed back. */
export const DRAIN_TIMEOUT_MS = 15_000

/** The version services tell each other. */
export const VERSION = '0.1.0'
