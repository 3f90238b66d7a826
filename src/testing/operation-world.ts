import { IMAGE } from '../apis/v1alpha1/image.ts'
import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import {
  COMPUTE_RPC_VERSION,
  COMPUTE_TOPIC,
  HOST_METHODS,
  updateAvailableResource,
} from '../compute/rpcapi.ts'
import { bookingsOf } from '../objects/bookings.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { FakeDriver } from '../virt/fake/driver.ts'
import type { FaultyMethod } from '../virt/fake/faults.ts'
import type { FakeGuest } from '../virt/fake/hypervisor.ts'
import { makeContext } from './builders.ts'
import { type Agent, ComputeWorld } from './compute-world.ts'
import type { EmbeddedKube } from './embedded-kube.ts'
import { type CaseGuest, type OperationCase, SMALL, SNAPSHOT_IMAGE } from './operation-cases/case.ts'
import { actionOf, REQUEST } from './operation-cases/index.ts'

const HOSTS = ['node-1', 'node-2'] as const
export type Host = (typeof HOSTS)[number]

/** What a driver is asked that the tests of operations look at: what changes guests. */
const WATCHED: readonly FaultyMethod[] = [
  'spawn',
  'destroy',
  'powerOff',
  'powerOn',
  'pause',
  'unpause',
  'suspend',
  'resume',
  'softReboot',
  'hardReboot',
  'rescue',
  'unrescue',
  'finishMigration',
  'liveMigrate',
  'snapshot',
]

/** Two agents, each of whom writes down what its driver is asked and what it is told; node-1 is down where that matters. */
export class OperationWorld {
  readonly compute: ComputeWorld
  readonly ctx = makeContext({ requestId: REQUEST })
  /** What agents were told by others: `host method`. */
  readonly told: string[] = []
  /** What the drivers were asked. */
  readonly calls: FaultyMethod[] = []
  readonly #kube: EmbeddedKube
  readonly #agents = new Map<Host, Agent>()

  constructor(kube: EmbeddedKube) {
    this.#kube = kube
    this.compute = new ComputeWorld(kube)
  }

  /** What all operations need of the cluster. */
  static async prepare(kube: EmbeddedKube): Promise<void> {
    await Promise.all([
      kube.putFlavor(SMALL),
      kube.putImage({ name: 'cirros' }),
      kube.putNode({ name: 'node-1', status: { state: 'down', availabilityZone: 'zone-1' } }),
      kube.putNode({ name: 'node-2', status: { state: 'up', availabilityZone: 'zone-2' } }),
    ])
  }

  async start(): Promise<void> {
    await this.compute.start()
    for (const host of HOSTS) {
      await this.restart(host)
      const target = { topic: COMPUTE_TOPIC, host }
      await this.compute.rpc.serve({ target, version: COMPUTE_RPC_VERSION }, (server) => {
        for (const method of Object.values(HOST_METHODS)) {
          server.handle(method, async () => {
            this.told.push(`${host} ${method.name}`)
          })
        }
        server.handle(updateAvailableResource, async () => {
          this.told.push(`${host} ${updateAvailableResource.name}`)
        })
      })
    }
  }

  async close(): Promise<void> {
    await this.compute.close()
    const { items } = await this.#kube.client.list(IMAGE)
    for (const { metadata } of items) {
      if (metadata.name === SNAPSHOT_IMAGE) await this.#kube.client.delete(IMAGE, { name: SNAPSHOT_IMAGE })
    }
  }

  agent(host: Host): Agent {
    const agent = this.#agents.get(host)
    if (!agent) throw new Error(`there is no agent of ${host}`)
    return agent
  }

  /** The agent of a host is no more; another one begins, and knows nothing yet. */
  async restart(host: Host): Promise<Agent> {
    const agent = this.compute.agent({ host })
    await agent.driver.start()
    this.#watch(agent.driver)
    this.#agents.set(host, agent)
    return agent
  }

  /** An instance in the state a case begins in, with its record, its guest and its claims. */
  async begin(one: OperationCase, status: InstanceStatus = {}): Promise<Instance> {
    const before = { ...one.before, ...status }
    const instance = await this.compute.putInstance(this.ctx, actionOf(one), { status: before })
    this.putGuest(instance, one.guest)
    const uid = instance.metadata.uid ?? ''
    // The host it comes to has still to make its claim.
    for (const { host, flavor } of bookingsOf({ status: before })) {
      if (host !== before.migration?.destHost || host === before.host)
        this.agent(host === 'node-1' ? 'node-1' : 'node-2').tracker.adopt(uid, flavor)
    }
    return instance
  }

  putGuest(instance: Instance, { host, power }: CaseGuest): void {
    const { hypervisor } = this.compute
    const ref = refOfInstance(instance)
    hypervisor.define(ref, host)
    hypervisor.boot(ref)
    if (power === 'SHUTDOWN') hypervisor.powerOff(ref)
    if (power === 'PAUSED') hypervisor.pause(ref)
    if (power === 'SUSPENDED') hypervisor.suspend(ref)
  }

  guest(): FakeGuest | undefined {
    return this.compute.hypervisor.find({ namespace: 'default', name: 'web' })
  }

  /** Where the guest is, and what its power is. */
  guestIs(): CaseGuest | undefined {
    const guest = this.guest()
    return guest && { host: guest.host, power: guest.powerState as CaseGuest['power'] }
  }

  /** Has the agent get the message of a case. */
  async perform({ on, method }: OperationCase, instance: Instance): Promise<void> {
    await this.agent(on).manager.perform(this.ctx, method, { instance: refOfInstance(instance) })
  }

  /** Takes an instance out of the cluster, as its deletion does in the end. */
  async remove(instance: Instance): Promise<void> {
    await this.#kube.client.delete(INSTANCE, instance.metadata)
  }

  async setNodeState(name: Host, state: 'up' | 'down'): Promise<void> {
    const status = { state }
    await this.#kube.client.mergePatch(COMPUTE_NODE, { name }, { status }, { subresource: 'status' })
  }

  #watch(driver: FakeDriver): void {
    for (const name of WATCHED) {
      const real: unknown = Reflect.get(driver, name)
      if (typeof real !== 'function') continue
      const watched = (...args: unknown[]): unknown => {
        this.calls.push(name)
        return Reflect.apply(real, driver, args)
      }
      Reflect.set(driver, name, watched)
    }
  }
}
