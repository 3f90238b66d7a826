import type { InstanceFollower } from '../../src/dev/instance-follower.ts'
import type { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import type { KubeClient } from '../../src/kube/client.ts'

/** Something that can be away for a while, with what is in it kept. */
export interface Peer {
  goAway(): Promise<void>
  comeBack(): Promise<void>
}

/**
 * Where a scenario happens: an API server, a broker, nodes with a stand-in for KubeVirt, and Kilonova's
 * services. A scenario is written once and knows nothing of what these are made of.
 */
export interface World {
  readonly client: KubeClient
  /** For kubectl. */
  readonly kubeconfigPath: string
  /** Sees every Instance, and waits for what they become. */
  readonly follower: InstanceFollower
  /** KubeVirt: its guests can be told what to do. */
  readonly standIn: KubeVirtStandIn
  readonly apiServer: Peer
  readonly broker: Peer
  /** The services by name: `nova-api`, `nova-compute-node-1`. */
  readonly services: {
    readonly names: readonly string[]
    start(name: string): Promise<void>
    /** In order: it drains. */
    stop(name: string): Promise<void>
    /** At once, in the middle of whatever it does. */
    kill(name: string): Promise<void>
    /** What a service has logged so far. */
    log(name: string): string
  }
  /** Makes a namespace of its own for a scenario and gives its name. */
  namespace(): Promise<string>
  stop(): Promise<void>
}

export interface WorldOptions {
  readonly nodes?: number
  /** Settings of the services, as environment variables: shorter times, so that nobody waits for minutes. */
  readonly env?: Readonly<Record<string, string>>
  readonly bootTimeMs?: number
}

export type MakeWorld = (options?: WorldOptions) => Promise<World>
