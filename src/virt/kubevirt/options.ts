export interface KubeVirtDriverOptions {
  /** The name of the node this agent serves. */
  readonly host: string
  /** How long a guest may take until it runs. Default ten minutes: an import of a disk counts. */
  readonly spawnTimeoutMs?: number
  /** How long an obstacle such as an unschedulable Pod may last before the build has failed. Default 20 s. */
  readonly obstacleTimeoutMs?: number
  /** How long a guest that is destroyed may take to shut itself down before it is forced off. Default 10 s. */
  readonly destroyTimeoutMs?: number
  /** How long KubeVirt may take to carry out a forced stop. Default one minute. */
  readonly forceTimeoutMs?: number
  /** How long KubeVirt may take to show that a guest was paused or goes on. Default half a minute. */
  readonly pauseTimeoutMs?: number
  /** See `Placement.terminationGracePeriodSeconds`. Default one hour. */
  readonly terminationGracePeriodSeconds?: number
}

export const DEFAULT_OPTIONS = {
  spawnTimeoutMs: 600_000,
  obstacleTimeoutMs: 20_000,
  destroyTimeoutMs: 10_000,
  forceTimeoutMs: 60_000,
  pauseTimeoutMs: 30_000,
  terminationGracePeriodSeconds: 3_600,
} as const
