import type { Clock } from '../../common/clock.ts'
import type { GuestRef, SpawnOptions } from '../driver.ts'
import { waitUntil } from '../wait-until.ts'
import { type BuildProgress, buildProgressOf, type Failure, type Obstacle } from './build-progress.ts'
import type { GuestWatch } from './guest-watch.ts'
import { isStartPending, type Machine } from './power-state.ts'

export interface BuildLimits {
  /** How long a guest may take until it runs. */
  readonly spawnTimeoutMs: number
  /** How long an obstacle (no node fits, the image cannot be pulled, ...) may last before it is a failure. */
  readonly obstacleTimeoutMs: number
}

/** Follows one guest from its start until it runs or surely will not. */
export class BuildWatch {
  readonly #watch: GuestWatch
  readonly #clock: Clock
  readonly #limits: BuildLimits
  readonly #guest: GuestRef
  /** The uid of an earlier run's VMI, which says nothing about this one. */
  readonly #earlier: string | undefined
  #hasBegun = false

  constructor(
    deps: { readonly watch: GuestWatch; readonly clock: Clock },
    limits: BuildLimits,
    guest: GuestRef,
    earlier?: string,
  ) {
    this.#watch = deps.watch
    this.#clock = deps.clock
    this.#limits = limits
    this.#guest = guest
    this.#earlier = earlier
  }

  /** Resolves with nothing when the guest was built, otherwise with why not. */
  async outcome({ signal }: SpawnOptions): Promise<Failure | undefined> {
    const deadlineMs = this.#clock.now() + this.#limits.spawnTimeoutMs
    for (let progress = this.#look(), sinceMs = this.#clock.now(); ; ) {
      if (progress.state === 'built') return undefined
      if (progress.state === 'failed') return progress.failure
      const { obstacle } = progress
      const limitMs = obstacle ? Math.min(deadlineMs, sinceMs + this.#limits.obstacleTimeoutMs) : deadlineMs
      const next = await this.#nextAfter(obstacle, { timeoutMs: limitMs - this.#clock.now(), signal })
      if (!next) return obstacle ?? this.#timedOut()
      progress = next
      sinceMs = this.#clock.now()
    }
  }

  /** The next progress that differs from waiting for this obstacle; undefined when there is none in time. */
  async #nextAfter(
    obstacle: Obstacle | undefined,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ): Promise<BuildProgress | undefined> {
    const isSame = (progress: BuildProgress): boolean =>
      progress.state === 'waiting' && progress.obstacle?.kind === obstacle?.kind
    const look = (): BuildProgress | undefined => {
      const progress = this.#look()
      return isSame(progress) ? undefined : progress
    }
    return waitUntil(this.#watch.changesOf(this.#guest), look, options)
  }

  #look(): BuildProgress {
    const machine = this.#machine()
    if (machine.vmi) this.#hasBegun = true
    else if (this.#hasBegun && !isStartPending(machine)) {
      return { state: 'failed', failure: { blame: 'host', reason: 'it was stopped while it was starting' } }
    }
    return buildProgressOf(machine)
  }

  #machine(): Machine {
    const { vm, vmi } = this.#watch.find(this.#guest)
    return vmi?.metadata.uid === this.#earlier ? { vm } : { vm, vmi }
  }

  #timedOut(): Failure {
    const phase = this.#machine().vmi?.status?.phase ?? 'not made'
    const seconds = this.#limits.spawnTimeoutMs / 1000
    return { blame: 'host', reason: `the guest did not run within ${seconds} s (its VMI is ${phase})` }
  }
}
