import type { World } from '../scenarios/world.ts'
import type { PodLogs } from './pod-logs.ts'
import type { Component, Workloads } from './workloads.ts'

const DEPLOYMENTS = ['api', 'scheduler', 'conductor'] as const satisfies readonly Component[]
const AGENT = 'nova-compute-'

export interface ClusterServicesDeps {
  readonly workloads: Workloads
  readonly logs: PodLogs
}

/** The services under the names that scenarios have for them: all replicas of `nova-api`, the agent `nova-compute-NODE`. */
export class ClusterServices implements Readonly<World['services']> {
  readonly names: readonly string[]
  readonly #workloads: Workloads
  readonly #logs: PodLogs

  constructor({ workloads, logs }: ClusterServicesDeps, nodes: readonly string[]) {
    this.#workloads = workloads
    this.#logs = logs
    this.names = [
      ...DEPLOYMENTS.map((component) => `nova-${component}`),
      ...nodes.map((node) => AGENT + node),
    ]
  }

  async start(name: string): Promise<void> {
    const node = this.#nodeOf(name)
    if (node) await this.#workloads.startAgent(node)
    else await this.#workloads.scaleUp(componentOf(name))
  }

  async stop(name: string): Promise<void> {
    const node = this.#nodeOf(name)
    if (node) await this.#workloads.stopAgent(node)
    else await this.#workloads.scaleDown(componentOf(name))
  }

  /** At once; what Kubernetes has started anew until it is told not to is stopped in order. */
  async kill(name: string): Promise<void> {
    const node = this.#nodeOf(name)
    const pods = await this.#workloads.pods(componentOf(name), node)
    await Promise.all(pods.map((pod) => this.#workloads.kill(pod)))
    await this.stop(name)
  }

  /** Of all that were ever there, one after the other as they logged. */
  log(name: string): string {
    return this.#logs.of(name)
  }

  #nodeOf(name: string): string | undefined {
    return name.startsWith(AGENT) ? name.slice(AGENT.length) : undefined
  }
}

function componentOf(name: string): Component {
  if (name.startsWith(AGENT)) return 'compute'
  const found = DEPLOYMENTS.find((component) => name === `nova-${component}`)
  if (!found) throw new Error(`a cluster has no service ${name}: the chart says how many there are of each`)
  return found
}
