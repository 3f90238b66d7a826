import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { RandomIds } from '../common/ids.ts'
import { COMPUTE_RPC_VERSION, HOST_METHODS, updateAvailableResource } from '../compute/rpcapi.ts'
import { ConductorRpcApi } from '../conductor/rpcapi.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { ActionStore } from '../objects/action-store.ts'
import { serveTestConductor } from './test-conductor.ts'
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
    const { rpc, actions, events } = this
    await serveTestConductor({ ...this.#deps(), rpc, actions, events })
    for (const host of hosts) await this.#serveHost(host)
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

  /** Ends everything and removes the instances and records. */
  async close(): Promise<void> {
    await this.rpc.close()
    await this.events.flush()
    const { client, server } = this.#kube
    server.faults.clear()
    for (const { metadata } of (await client.list(INSTANCE)).items) await client.delete(INSTANCE, metadata)
    for (const { metadata } of await this.#kube.actions()) await client.delete(INSTANCE_ACTION, metadata)
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
