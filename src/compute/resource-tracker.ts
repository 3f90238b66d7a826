import { ComputeResourcesUnavailable } from '../common/errors/scheduling.ts'
import type { FlavorSize } from '../objects/build-request.ts'

export interface Usage {
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
}

/**
 * The agent's own account of what is claimed on its host, by instance. The scheduler decides; this is the
 * second test, on the host itself, that catches two schedulers at once. nova.compute.resource_tracker.
 */
export class ResourceTracker {
  readonly #host: string
  readonly #claims = new Map<string, FlavorSize>()

  constructor(options: { readonly host: string }) {
    this.#host = options.host
  }

  /**
   * Claims an instance's resources against what the scheduler says the host can take in all. A claim that is
   * there already stays as it is.
   * @throws ComputeResourcesUnavailable when they are not free
   */
  claim(uid: string, flavor: FlavorSize, limits: Usage): void {
    if (this.#claims.has(uid)) return
    const used = this.usage()
    const short = (['vcpus', 'memoryMb', 'diskGb'] as const).find(
      (kind) => used[kind] + flavor[kind] > limits[kind],
    )
    if (short) {
      const free = Math.max(0, limits[short] - used[short])
      const reason = `${short}: ${flavor[short]} asked, ${free} of ${limits[short]} free`
      throw new ComputeResourcesUnavailable({ host: this.#host, reason })
    }
    this.#claims.set(uid, flavor)
  }

  /** Takes over a claim that was made before the agent started: it counts, even where it is too much. */
  adopt(uid: string, flavor: FlavorSize): void {
    this.#claims.set(uid, flavor)
  }

  /** Gives an instance's resources back. */
  release(uid: string): void {
    this.#claims.delete(uid)
  }

  holds(uid: string): boolean {
    return this.#claims.has(uid)
  }

  /** The instances that have a claim. */
  claimed(): readonly string[] {
    return [...this.#claims.keys()]
  }

  usage(): Usage {
    const sum = { vcpus: 0, memoryMb: 0, diskGb: 0 }
    for (const flavor of this.#claims.values()) {
      sum.vcpus += flavor.vcpus
      sum.memoryMb += flavor.memoryMb
      sum.diskGb += flavor.diskGb
    }
    return sum
  }
}
