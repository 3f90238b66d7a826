import { RandomIds } from '../common/ids.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import {
  COMPUTE_RPC_VERSION,
  ComputeRpcApi,
  HOST_METHODS,
  updateAvailableResource,
} from '../compute/rpcapi.ts'
import { TaskSender } from '../compute/task-sender.ts'
import { GuestAssigner } from '../conductor/guest-assigner.ts'
import { ConductorManager } from '../conductor/manager.ts'
import { CONDUCTOR_RPC_VERSION, CONDUCTOR_TOPIC, ConductorRpcApi } from '../conductor/rpcapi.ts'
import { serveConductor } from '../conductor/service.ts'
import { SnapshotImages } from '../conductor/snapshot-images.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { SchedulerRpcApi } from '../scheduler/rpcapi.ts'
import { FakeGuestAssignment } from '../virt/fake/assignment.ts'
import type { EmbeddedKube } from './embedded-kube.ts'
import { FakeClock } from './fake-clock.ts'
import { captureLog, type LogCapture } from './log-capture.ts'
import { MemoryRpc } from './memory-rpc.ts'

/** A conductor as agents see it, and hosts that only note what they are told. */
export class ConductorWorld {
  readonly clock = new FakeClock()
  readonly rpc = new MemoryRpc(this.clock)
  readonly logs: LogCapture = captureLog()
  readonly events: EventRecorder
  readonly actions: ActionStore
  /** What each host was told. */
  readonly told: { readonly host: string; readonly method: string; readonly requestId: string }[] = []
  readonly #kube: EmbeddedKube

  constructor(kube: EmbeddedKube) {
    this.#kube = kube
    const deps = this.#deps()
    this.events = new EventRecorder(deps, { component: 'nova-conductor' })
    this.actions = new ActionStore(deps)
  }

  async start(hosts: readonly string[] = ['node-1', 'node-2']): Promise<void> {
    await this.addConductor()
    for (const host of hosts) await this.#serveHost(host)
  }

  /** Another replica of the conductor, with a memory of its own: calls go to one of them. */
  async addConductor(): Promise<ConductorManager> {
    const deps = this.#deps()
    const client = this.rpc.client({ service: 'conductor' })
    const compute = new ComputeRpcApi({ rpc: client })
    const instances = new InstanceStore(deps)
    const requests = new BuildRequestResolver(deps)
    const parts = { ...deps, instances, requests }
    const manager = new ConductorManager({
      ...parts,
      actions: this.actions,
      sender: new TaskSender({ requests, scheduler: new SchedulerRpcApi({ rpc: client }), compute }),
      freed: new FreedHosts({ compute }),
      events: this.events,
    })
    const guests = new GuestAssigner({ ...parts, guests: new FakeGuestAssignment() })
    const images = new SnapshotImages(parts)
    await this.rpc.serve({ target: { topic: CONDUCTOR_TOPIC }, version: CONDUCTOR_RPC_VERSION }, (server) => {
      serveConductor(server, { manager, guests, images })
    })
    return manager
  }

  /** The conductor as the agent of a host has it. */
  agent(host: string): ConductorRpcApi {
    return new ConductorRpcApi({ rpc: this.rpc.client({ service: 'compute', host }) })
  }

  /** The Events about an instance: type, reason and message of each. */
  async eventsOf(instance: Instance): Promise<unknown[]> {
    await this.events.flush()
    const { items } = await this.#kube.client.list(EVENT, { namespace: 'default' })
    return items
      .filter(({ involvedObject }) => involvedObject.uid === instance.metadata.uid)
      .map(({ type, reason, message }) => [type, reason, message])
  }

  async close(): Promise<void> {
    await this.rpc.close()
    await this.events.flush()
  }

  async #serveHost(host: string): Promise<void> {
    const target = { topic: 'compute', host }
    await this.rpc.serve({ target, version: COMPUTE_RPC_VERSION }, (server) => {
      for (const method of Object.values(HOST_METHODS)) {
        server.handle(method, async ({ requestId }) => {
          this.told.push({ host, method: method.name, requestId })
        })
      }
      server.handle(updateAvailableResource, async ({ requestId }) => {
        this.told.push({ host, method: updateAvailableResource.name, requestId })
      })
    })
  }

  #deps() {
    return { client: this.#kube.client, clock: this.clock, log: this.logs.log, ids: new RandomIds() }
  }
}
