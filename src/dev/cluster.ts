import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { openDriver } from '../cmd/driver.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import { type Logger, type LogOptions, type LogSink, openLog } from '../common/log.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import { type KubeConfig, loadKubeConfig, parseKubeConfig } from '../kube/kube-config.ts'
import { seedCatalogue } from '../objects/catalogue.ts'
import { MemoryBroker } from '../rpc/memory-broker.ts'
import { openTransport } from '../rpc/open-transport.ts'
import type { AggregatedHandler } from './apiserver/http.ts'
import { ApiServer } from './apiserver/server.ts'
import { installCrds, kilonovaCrds, kubevirtCrds } from './crds.ts'
import { AggregatedApi } from './kubevirt/aggregated-api.ts'
import { Kubelet } from './kubevirt/kubelet.ts'
import { KubeVirtStandIn } from './kubevirt/stand-in.ts'
import { FakeHypervisor } from '../virt/fake/hypervisor.ts'
import { createNode, nodeNames } from './nodes.ts'
import { refuseRealKubeVirt } from './real-kubevirt.ts'
import { ServiceSet } from './service-set.ts'

export interface ClusterOptions {
  /** How many nodes are simulated. */
  readonly nodes: number
  /** `memory://`, or the URL of a NATS server. */
  readonly messaging: string
  /** The kubeconfig of an API server to use instead of the embedded one. */
  readonly kubeconfig?: string | undefined
  /** Where the kubeconfig and the logs go. */
  readonly folder: string
  /** Port of the embedded API server; 0 for any. */
  readonly port: number
  /** How long a simulated guest takes to boot. */
  readonly bootTimeMs: number
  readonly log: Omit<LogOptions, 'file'>
  /** After how long a message goes to another worker when its own fell silent. Default 30 s. */
  readonly ackWaitMs?: number | undefined
  /** Settings of the services that differ from their defaults, as environment variables. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/**
 * A whole cluster in this process: the API server (unless another is given), nodes, a stand-in for KubeVirt's
 * controllers, and Kilonova's services. For trying, for demonstrations, and for tests that break things.
 */
export class DevCluster {
  readonly #clock: Clock
  readonly #options: ClusterOptions
  readonly #sink: LogSink
  readonly #log: Logger
  readonly kubeconfigPath: string
  readonly logFolder: string
  /** The embedded API server, for tests to break; undefined on a real one. */
  readonly apiServer: ApiServer | undefined
  /** The broker of `memory://`, for tests to break. */
  readonly broker: MemoryBroker
  #kubeConfig: KubeConfig | undefined
  #client: HttpKubeClient | undefined
  #standIn: KubeVirtStandIn | undefined
  #kubelet: Kubelet | undefined
  #aggregatedApi: AggregatedApi | undefined
  #services: ServiceSet | undefined

  constructor(deps: { readonly clock: Clock }, options: ClusterOptions) {
    this.#clock = deps.clock
    this.#options = options
    this.logFolder = resolve(options.folder, 'logs')
    emptyLogFolder(this.logFolder)
    this.kubeconfigPath = options.kubeconfig ?? resolve(options.folder, 'kubeconfig')
    this.#sink = openLog({ ...options.log, file: join(this.logFolder, 'dev.log') })
    this.#log = this.#sink.logger
    this.apiServer = options.kubeconfig === undefined ? new ApiServer({}, { port: options.port }) : undefined
    this.broker = new MemoryBroker({ clock: deps.clock }, ackWaitOf(options))
  }

  get client(): HttpKubeClient {
    if (!this.#client) throw new Error('the cluster was not started')
    return this.#client
  }

  get standIn(): KubeVirtStandIn {
    if (!this.#standIn) throw new Error('the cluster was not started')
    return this.#standIn
  }

  get services(): ServiceSet {
    if (!this.#services) throw new Error('the cluster was not started')
    return this.#services
  }

  /** Starts everything; resolves when instances can be launched. */
  async start(): Promise<void> {
    await this.#startApiServer()
    const client = this.#open('dev')
    this.#client = client
    if (!this.apiServer) await refuseRealKubeVirt(client)
    const deps = { client, clock: this.#clock }
    await Promise.all([
      installCrds(deps, kilonovaCrds(), { replace: true }),
      // KubeVirt's own definitions, where they are, are left as they are.
      installCrds(deps, kubevirtCrds(), { replace: false }),
    ])
    const hosts = nodeNames(this.#options.nodes)
    const now = toTimestamp(this.#clock.now())
    this.#kubelet = new Kubelet(deps)
    const kubeletPort = await this.#kubelet.start()
    const nodes = hosts.map((host) => createNode(client, host, now, kubeletPort))
    await Promise.all([seedCatalogue(client), ...nodes])

    this.#standIn = new KubeVirtStandIn(
      { client: this.#open('kubevirt'), clock: this.#clock, log: this.#log },
      { bootMs: this.#options.bootTimeMs, shutdownMs: this.#options.bootTimeMs / 2, hasLaunchers: true },
    )
    await this.#standIn.start()
    await this.#serveSubresources(client, this.#standIn)
    // One for all agents, so that guests can be moved between them.
    const hypervisor = new FakeHypervisor()
    this.#services = new ServiceSet(
      {
        clock: this.#clock,
        openClient: (service) => this.#open(service),
        openTransport: (sender, log) =>
          openTransport(
            this.#options.messaging,
            { log, clock: this.#clock, broker: this.broker },
            { ...ackWaitOf(this.#options), sender },
          ),
        openDriver: (deps, settings) => openDriver({ ...deps, hypervisor }, settings),
      },
      { hosts, logFolder: this.logFolder, log: this.#options.log, env: this.#options.env ?? {} },
    )
    await this.#services.startAll()
  }

  async stop(): Promise<void> {
    await this.#services?.stopAll()
    await this.#aggregatedApi?.stop()
    await this.#standIn?.stop()
    await this.#kubelet?.stop()
    await this.#client?.close()
    await this.apiServer?.stop()
    await this.#sink.close()
  }

  /** KubeVirt's own API, which a guest is forced off through. */
  async #serveSubresources(client: HttpKubeClient, standIn: KubeVirtStandIn): Promise<void> {
    const handle: AggregatedHandler = (method, path, body) => standIn.handleSubresource(method, path, body)
    if (this.apiServer) {
      this.apiServer.aggregate('/apis/subresources.kubevirt.io', handle)
      return
    }
    this.#aggregatedApi = new AggregatedApi({ client, clock: this.#clock, log: this.#log }, { handle })
    await this.#aggregatedApi.start()
  }

  async #startApiServer(): Promise<void> {
    if (!this.apiServer) {
      this.#kubeConfig = loadKubeConfig({ path: this.kubeconfigPath })
      return
    }
    await this.apiServer.start()
    const text = this.apiServer.kubeconfig()
    writeFileSync(this.kubeconfigPath, text, { mode: 0o600 })
    this.#kubeConfig = parseKubeConfig(text, this.kubeconfigPath)
  }

  #open(who: string): HttpKubeClient {
    if (!this.#kubeConfig) throw new Error('the API server is not known yet')
    return HttpKubeClient.fromKubeConfig(this.#kubeConfig, {
      clock: this.#clock,
      userAgent: `kilonova/${who}`,
    })
  }
}

/** A new cluster begins with new logs; nothing else in the folder is touched. */
function emptyLogFolder(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) {
    if (/^(nova-.*|dev)\.log$/.test(name)) rmSync(join(folder, name))
  }
}

function ackWaitOf({ ackWaitMs }: ClusterOptions): { readonly ackWaitMs?: number } {
  return ackWaitMs === undefined ? {} : { ackWaitMs }
}
