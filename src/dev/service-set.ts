import { join } from 'node:path'
import { buildApi } from '../cmd/api.ts'
import { buildCompute } from '../cmd/compute.ts'
import { buildConductor } from '../cmd/conductor.ts'
import { buildScheduler } from '../cmd/scheduler.ts'
import type { Service, ServiceDeps } from '../cmd/service.ts'
import type { Clock } from '../common/clock.ts'
import { RandomIds } from '../common/ids.ts'
import { type LogOptions, type LogSink, openLog } from '../common/log.ts'
import { API_SETTINGS } from '../conf/api.ts'
import { COMPUTE_SETTINGS, type ComputeSettings } from '../conf/compute.ts'
import { readOptions } from '../conf/options.ts'
import { CONDUCTOR_SETTINGS } from '../conf/conductor.ts'
import { SCHEDULER_SETTINGS } from '../conf/scheduler.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Sender } from '../rpc/sender.ts'
import type { Transport } from '../rpc/transport.ts'
import type { ComputeDriver } from '../virt/driver.ts'

export interface ServiceSetDeps {
  readonly clock: Clock
  /** A connection to the API server for each service, as each would have as a process of its own. */
  readonly openClient: (service: string) => KubeClient
  readonly openTransport: (sender: Sender, log: ServiceDeps['log']) => Transport
  readonly openDriver: (deps: ServiceDeps, settings: ComputeSettings) => ComputeDriver
}

export interface ServiceSetOptions {
  readonly hosts: readonly string[]
  /** The folder of the log files, one a service. */
  readonly logFolder: string
  readonly log: Omit<LogOptions, 'file'>
  /** Settings that differ from the services' defaults, as environment variables. */
  readonly env: Readonly<Record<string, string>>
}

interface Running {
  readonly service: Service
  readonly client: KubeClient
  readonly transport: Transport
  readonly sink: LogSink
}

/** All services of a cluster in one process, each with connections and a log file of its own. */
export class ServiceSet {
  readonly #deps: ServiceSetDeps
  readonly #options: ServiceSetOptions
  readonly #running = new Map<string, Running>()

  constructor(deps: ServiceSetDeps, options: ServiceSetOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** `nova-api`, `nova-scheduler`, `nova-conductor`, and `nova-compute-<host>` for each host. */
  get names(): readonly string[] {
    const agents = this.#options.hosts.map((host) => `nova-compute-${host}`)
    return ['nova-api', 'nova-scheduler', 'nova-conductor', ...agents]
  }

  get logFiles(): readonly string[] {
    return this.names.map((name) => this.logFile(name))
  }

  logFile(name: string): string {
    return join(this.#options.logFolder, `${name}.log`)
  }

  async startAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.start(name)))
  }

  /**
   * Starts a service by its name; `nova-scheduler-2` is a second one beside the first.
   * @param env settings of this one alone
   */
  async start(name: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const sink = openLog({ ...this.#options.log, file: this.logFile(name) })
    const client = this.#deps.openClient(name)
    const transport = this.#deps.openTransport(senderOfService(name), sink.logger)
    const deps = { client, transport, clock: this.#deps.clock, ids: new RandomIds(), log: sink.logger }
    const service = this.#build(name, deps, { ...this.#options.env, ...env })
    this.#running.set(name, { service, client, transport, sink })
    try {
      await service.start()
    } catch (error) {
      // Killed or stopped while it was starting.
      if (this.#running.get(name)?.service === service) throw error
    }
  }

  /** Stops a service in order: it drains. */
  async stop(name: string): Promise<void> {
    const running = this.#running.get(name)
    if (!running) return
    this.#running.delete(name)
    await running.service.stop()
    await leave(running)
  }

  /** Takes a service's connections away at once, as when its process is killed. What it had begun may still end. */
  async kill(name: string): Promise<void> {
    const running = this.#running.get(name)
    if (!running) return
    this.#running.delete(name)
    await leave(running)
    // Like a process that is gone it is not waited for: what it waits for itself does not come any more.
    void running.service.stop().catch(() => undefined)
  }

  async stopAll(): Promise<void> {
    // The agents first: they need the others to finish what they have begun.
    await Promise.all(
      this.names.filter((name) => name.startsWith('nova-compute')).map((name) => this.stop(name)),
    )
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)))
  }

  #build(name: string, deps: ServiceDeps, env: Readonly<Record<string, string>>): Service {
    const identity = `${name}_${deps.ids.uuid().slice(0, 8)}`
    const sender = senderOfService(name)
    switch (sender.service) {
      case 'api':
        return buildApi(deps, { ...readOptions(API_SETTINGS, [], env), identity })
      case 'scheduler':
        return buildScheduler(deps, { ...readOptions(SCHEDULER_SETTINGS, [], env), identity })
      case 'conductor':
        return buildConductor(deps, { ...readOptions(CONDUCTOR_SETTINGS, [], env), identity })
      case 'compute': {
        const settings = { ...readOptions(COMPUTE_SETTINGS, [], env), host: sender.host }
        return buildCompute({ ...deps, driver: this.#deps.openDriver(deps, settings) }, settings)
      }
      case 'check':
        throw new TypeError(`${name} is no service`)
    }
  }
}

async function leave({ transport, client, sink }: Running): Promise<void> {
  await Promise.all([transport.close(), client.close()])
  await sink.close()
}

/** `nova-scheduler-2` is a scheduler, `nova-compute-node-1` the agent of node-1. */
function senderOfService(name: string): Sender {
  const [, central] = /^nova-(api|scheduler|conductor)/.exec(name) ?? []
  if (central === 'api' || central === 'scheduler' || central === 'conductor') return { service: central }
  return { service: 'compute', host: name.replace(/^nova-compute-/, '') }
}
