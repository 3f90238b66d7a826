import type { Clock, Timer } from '../common/clock.ts'
import { serviceContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { type IdGenerator, newRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { ComputeNodeReport } from '../conductor/rpcapi.ts'
import type { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import type { ComputeDriver, HostResources } from '../virt/driver.ts'
import type { ResourceTracker } from './resource-tracker.ts'

/** The zone of a host that names none. Nova: default_availability_zone. */
const DEFAULT_ZONE = 'nova'
const FIRST_LOOK_RETRY_MS = 1_000

export interface ReporterOptions {
  readonly host: string
  readonly version: string
  /** How often the agent says that it is alive, and what is claimed if that changed. Nova: report_interval, 10 s. */
  readonly reportIntervalMs: number
  /** How often the hypervisor is asked what the host has. Nova: 60 s. */
  readonly updateResourcesIntervalMs: number
}

/**
 * Tells of the host: heartbeats by message, and inventory and usage through the conductor when they changed.
 * nova.compute.manager `update_available_resource` and nova.servicegroup.
 */
export class ResourceReporter {
  readonly #driver: ComputeDriver
  readonly #tracker: ResourceTracker
  readonly #conductor: ConductorApi
  readonly #scheduler: SchedulerRpcApi
  readonly #clock: Clock
  readonly #ids: IdGenerator
  readonly #log: Logger
  readonly #options: ReporterOptions
  readonly #timers: Timer[] = []
  #resources: HostResources | undefined
  #last = ''
  /** Whether to report what was reported before, too. */
  #isAnew = false
  /** Whether something may have changed since the report that is under way. */
  #isWanted = false
  #reporting: Promise<void> | undefined

  constructor(
    deps: {
      readonly driver: ComputeDriver
      readonly tracker: ResourceTracker
      readonly conductor: ConductorApi
      readonly scheduler: SchedulerRpcApi
      readonly clock: Clock
      readonly ids: IdGenerator
      readonly log: Logger
    },
    options: ReporterOptions,
  ) {
    this.#driver = deps.driver
    this.#tracker = deps.tracker
    this.#conductor = deps.conductor
    this.#scheduler = deps.scheduler
    this.#clock = deps.clock
    this.#ids = deps.ids
    this.#log = deps.log.named('nova.compute.resource_tracker')
    this.#options = options
  }

  /**
   * Reports once, then again and again. Waits for a hypervisor that cannot be asked yet. Rejects when `signal` aborts
   * meanwhile.
   */
  async start(signal?: AbortSignal): Promise<void> {
    await this.#firstLook(signal)
    await this.#report()
    await this.#heartbeat()
    signal?.throwIfAborted()
    this.#timers.push(
      this.#clock.every(this.#options.reportIntervalMs, () => {
        this.#quietly('heartbeat', () => this.#heartbeat())
        this.#quietly('resource report', () => this.#report())
      }),
      this.#clock.every(this.#options.updateResourcesIntervalMs, () =>
        this.#quietly('look at the resources', () => this.#look()),
      ),
    )
  }

  /** Reports what was reported before, too: somebody removed the ComputeNode. */
  async reportAnew(): Promise<void> {
    this.#isAnew = true
    await this.#report()
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
  }

  async #firstLook(signal: AbortSignal | undefined): Promise<void> {
    for (let said = false; ; said = true) {
      try {
        await this.#look()
        return
      } catch (error) {
        if (!(error instanceof NovaError) || error.outcome !== 'retry') throw error
        if (!said) {
          this.#log.warn('Waiting for the hypervisor to say what the host has', { reason: messageOf(error) })
        }
        await this.#clock.sleep(FIRST_LOOK_RETRY_MS, signal)
      }
    }
  }

  async #look(): Promise<void> {
    this.#resources = await this.#driver.getAvailableResource()
  }

  /**
   * Says what the host has and what is claimed on it, if that is news. One report at a time: a conductor that takes long would
   * otherwise be asked more and more, for what counts no more.
   */
  async #report(): Promise<void> {
    this.#isWanted = true
    this.#reporting ??= this.#reportWhileWanted()
    return this.#reporting
  }

  async #reportWhileWanted(): Promise<void> {
    try {
      while (this.#isWanted) {
        this.#isWanted = false
        await this.#reportOnce()
      }
    } finally {
      // Here and not when the promise settles: who comes in between would be told that it was reported.
      this.#reporting = undefined
    }
  }

  async #reportOnce(): Promise<void> {
    if (!this.#resources) return
    const report = await this.#whatIs(this.#resources)
    const text = JSON.stringify(report)
    if (text === this.#last && !this.#isAnew) return
    this.#isAnew = false
    this.#last = ''
    await this.#conductor.computeNodeReport(serviceContext(newRequestId(this.#ids)), report)
    this.#last = text
  }

  async #whatIs(resources: HostResources): Promise<ComputeNodeReport> {
    const { vcpus, memoryMb, diskGb, availabilityZone = DEFAULT_ZONE, ...kind } = resources
    const guests = await this.#driver.listInstances()
    const runningVms = guests.filter((guest) => guest.powerState === 'RUNNING').length
    const { host, version } = this.#options
    return {
      host,
      version,
      ...kind,
      availabilityZone,
      inventory: { vcpus, memoryMb, diskGb },
      usage: { ...this.#tracker.usage(), runningVms },
    }
  }

  async #heartbeat(): Promise<void> {
    const { host, version } = this.#options
    await this.#scheduler.reportState(serviceContext(newRequestId(this.#ids)), { host, version })
  }

  #quietly(what: string, work: () => Promise<void>): void {
    void work().catch((error: unknown) => {
      this.#log.debug('Could not report; the next turn tries again', { what, reason: messageOf(error) })
    })
  }
}
