import type { InstanceFollower } from '../../src/dev/instance-follower.ts'
import type { KubeVirtStandIn } from '../../src/dev/kubevirt/stand-in.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import type { Transport } from '../../src/rpc/transport.ts'

/** Something that can be away for a while, with what is in it kept. */
export interface Peer {
  goAway(): Promise<void>
  comeBack(): Promise<void>
}

/** The message broker, and a look into its stores. */
export interface Broker extends Peer {
  /** Loses everything that is stored, as a broker does whose disk was lost. */
  wipe(): Promise<void>
  /** How many messages are stored: casts that nobody finished yet, and dead letters that nobody took. */
  stored(): Promise<number>
  /** A connection of the test's own. */
  connect(): Transport
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
  readonly broker: Broker
  /** KubeVirt's definitions: without them there is no KubeVirt. */
  readonly kubevirt: {
    uninstall(): Promise<void>
    install(): Promise<void>
  }
  /** The services by name: `nova-api`, `nova-compute-node-1`. */
  readonly services: {
    readonly names: readonly string[]
    /**
     * Also a second one beside the first, as `nova-scheduler-2`. Resolves when it says that it has started.
     * @param env settings of this one alone
     */
    start(name: string, env?: Readonly<Record<string, string>>): Promise<void>
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

/**
 * `simulated` guests do as a scenario says (never boot, crash, pay no heed) and cost nothing; `real` ones are few and slow, and
 * the services around them keep the times and the number they were installed with. Scenarios leave out what needs the former.
 */
export type Guests = 'simulated' | 'real'

/** The hosts of a world, by name. */
export function hostsOf({ services }: World): readonly string[] {
  const agent = 'nova-compute-'
  return services.names.filter((name) => name.startsWith(agent)).map((name) => name.slice(agent.length))
}

export type MakeWorld = (options?: WorldOptions) => Promise<World>

/** Every world's: times that are long enough to be seldom needed and short enough to be waited for. */
export const QUICK: Readonly<Record<string, string>> = {
  KILONOVA_REPORT_INTERVAL: '0.3',
  KILONOVA_LEASE_DURATION: '2',
  KILONOVA_ACK_WAIT: '2',
  KILONOVA_REDRIVE_AFTER: '5',
  KILONOVA_RPC_RESPONSE_TIMEOUT: '2',
}

/** A world for breaking things in the middle of an operation: guests take their time, and nothing is waited for long. */
export const BREAKABLE: WorldOptions = {
  bootTimeMs: 200,
  env: {
    KILONOVA_REDRIVE_AFTER: '1',
    KILONOVA_SERVICE_DOWN_TIME: '2',
    KILONOVA_SHUTDOWN_TIMEOUT: '0.5',
  },
}
