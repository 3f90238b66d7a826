import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { FreedHosts } from '../compute/freed-hosts.ts'
import { HostStates } from '../compute/host-states.ts'
import { Preparation } from '../compute/preparation.ts'
import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import { RandomIds } from '../common/ids.ts'
import { ComputeApi } from '../compute/api.ts'
import { ImmediateOperations } from '../compute/immediate-operations.ts'
import {
  COMPUTE_RPC_VERSION,
  COMPUTE_TOPIC,
  ComputeRpcApi,
  getConsoleOutput,
  HOST_METHODS,
  updateAvailableResource,
} from '../compute/rpcapi.ts'
import { TaskSender } from '../compute/task-sender.ts'
import { EVENT } from '../kube/event.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { ActionStore } from '../objects/action-store.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import {
  buildInstances,
  moveInstance,
  SCHEDULER_RPC_VERSION,
  SCHEDULER_TOPIC,
  SchedulerRpcApi,
} from '../scheduler/rpcapi.ts'
import { makeComputeNode } from './builders.ts'
import type { EmbeddedKube } from './embedded-kube.ts'
import { FakeClock } from './fake-clock.ts'
import { captureLog, type LogCapture } from './log-capture.ts'
import { MemoryRpc } from './memory-rpc.ts'
import { ToldInformer } from './told-informer.ts'

/** The API service's parts before the embedded API server; scheduler and agents only collect what they are sent. */
export class ApiWorld {
  readonly clock = new FakeClock()
  readonly rpc = new MemoryRpc(this.clock)
  readonly logs: LogCapture = captureLog()
  readonly cache = new ToldInformer(INSTANCE)
  /** The hosts that nova-api knows; to be told of. */
  readonly nodes = new ToldInformer(COMPUTE_NODE)
  readonly hosts: HostStates
  readonly actions: ActionStore
  readonly instances: InstanceStore
  readonly recorder: EventRecorder
  readonly sender: TaskSender
  readonly api: ComputeApi
  readonly immediate: ImmediateOperations
  /** `method target request-id`, as it came. */
  readonly sent: string[] = []
  /** To whom those of them came that are for agents. */
  readonly sentTo: string[] = []
  /** The hosts that were told that an instance comes to them no more. */
  readonly freed: string[] = []
  /** What an agent answers who is asked for a console. */
  console = async (host: string, lines: number): Promise<string> => `the last ${lines} lines on ${host}`
  /** In whose name each of these came. */
  readonly sentBy: string[] = []
  readonly #kube: EmbeddedKube

  constructor(kube: EmbeddedKube) {
    this.#kube = kube
    const { client } = kube
    const deps = { client, clock: this.clock, log: this.logs.log, ids: new RandomIds() }
    const rpc = this.rpc.client({ service: 'api' })
    const cache = this.cache.informer
    this.actions = new ActionStore(deps)
    this.recorder = new EventRecorder(deps, { component: 'nova-api' })
    const compute = new ComputeRpcApi({ rpc })
    const freed = new FreedHosts({ compute })
    const requests = new BuildRequestResolver(deps)
    const hosts = new HostStates({ nodes: this.nodes.informer })
    this.hosts = hosts
    this.sender = new TaskSender({
      requests,
      scheduler: new SchedulerRpcApi({ rpc }),
      compute,
    })
    this.instances = new InstanceStore({ ...deps, observe: (one) => cache.observe(one) })
    this.api = new ComputeApi({
      ...deps,
      cache,
      instances: this.instances,
      actions: this.actions,
      preparation: new Preparation({ client, requests, hosts }),
      hosts,
      events: this.recorder,
      sender: this.sender,
      freed,
    })
    this.immediate = new ImmediateOperations({
      ...deps,
      api: this.api,
      instances: this.instances,
      actions: this.actions,
      computeRpc: compute,
      freed,
    })
  }

  async start(): Promise<void> {
    await this.rpc.serve({ target: { topic: SCHEDULER_TOPIC }, version: SCHEDULER_RPC_VERSION }, (server) => {
      for (const method of [buildInstances, moveInstance]) {
        server.handle(method, async (ctx, { request }) => {
          this.sentBy.push(ctx.user)
          this.sent.push(`${method.name} ${request.instance.name} ${ctx.requestId}`)
        })
      }
    })
    for (const host of ['node-1', 'node-2']) {
      const target = { topic: COMPUTE_TOPIC, host }
      await this.rpc.serve({ target, version: COMPUTE_RPC_VERSION }, (server) => {
        for (const method of Object.values(HOST_METHODS)) {
          server.handle(method, async (ctx, { instance }) => {
            this.sentBy.push(ctx.user)
            this.sent.push(`${method.name} ${instance.name} ${ctx.requestId}`)
            this.sentTo.push(host)
          })
        }
        server.handle(updateAvailableResource, async () => {
          this.freed.push(host)
        })
        server.handle(getConsoleOutput, async (_ctx, { lines }) => this.console(host, lines))
      })
    }
  }

  /** Tells nova-api that a host is up, or down. */
  tellHost(name: string, state: 'up' | 'down' = 'up'): void {
    this.nodes.tell(makeComputeNode({ name, status: { state } }))
  }

  /** The instance as the server has it now, which the cache then has, too. */
  async refresh(name = 'web'): Promise<Instance> {
    const instance = await this.#kube.instance(name)
    this.cache.informer.observe(instance)
    return instance
  }

  async events(): Promise<unknown[]> {
    await this.recorder.flush()
    const { items } = await this.#kube.client.list(EVENT, { namespace: 'default' })
    return items.map(({ type, reason, message }) => [type, reason, message])
  }

  /** Ends everything and removes the instances, records and events. */
  async close(): Promise<void> {
    await this.rpc.close()
    await this.recorder.flush()
    const { client, server } = this.#kube
    server.faults.clear()
    for (const { metadata } of (await client.list(INSTANCE)).items) {
      if (metadata.finalizers) await client.mergePatch(INSTANCE, metadata, { metadata: { finalizers: null } })
      if (!metadata.deletionTimestamp) await client.delete(INSTANCE, metadata)
    }
    for (const { metadata } of await this.#kube.actions()) await client.delete(INSTANCE_ACTION, metadata)
    for (const { metadata } of (await client.list(EVENT)).items) await client.delete(EVENT, metadata)
  }
}
