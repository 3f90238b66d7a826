import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { INSTANCE_ACTION } from '../apis/v1alpha1/instance-action.ts'
import type { ActionName } from '../apis/v1alpha1/states.ts'
import type { RequestContext } from '../common/context.ts'
import { RandomIds } from '../common/ids.ts'
import { ComputeManager, type ComputeOptions } from '../compute/manager.ts'
import { ResourceTracker } from '../compute/resource-tracker.ts'
import { ConductorApi } from '../conductor/api.ts'
import { ConductorRpcApi } from '../conductor/rpcapi.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { ActionStore } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import {
  type BuildInstancesArgs,
  buildInstances,
  moveInstance,
  reportState,
  SCHEDULER_RPC_VERSION,
  SCHEDULER_TOPIC,
  SchedulerRpcApi,
} from '../scheduler/rpcapi.ts'
import { FakeDriver } from '../virt/fake/driver.ts'
import { FakeHypervisor } from '../virt/fake/hypervisor.ts'
import type { EmbeddedKube } from './embedded-kube.ts'
import { FakeClock } from './fake-clock.ts'
import { captureLog, type LogCapture } from './log-capture.ts'
import { MemoryRpc } from './memory-rpc.ts'
import { serveTestConductor } from './test-conductor.ts'

/** What the scheduler was sent by agents. */
export interface SentBack {
  readonly ctx: RequestContext
  readonly args: BuildInstancesArgs
}

/**
 * Compute agents on the fake hypervisor, with a real conductor before the embedded API server. The scheduler's
 * side only collects what it is sent.
 */
export class ComputeWorld {
  readonly clock = new FakeClock()
  readonly hypervisor = new FakeHypervisor()
  readonly rpc: MemoryRpc
  readonly logs: LogCapture = captureLog()
  readonly actions: ActionStore
  readonly sentBack: SentBack[] = []
  readonly heartbeats: string[] = []
  readonly #kube: EmbeddedKube
  readonly #events: EventRecorder

  constructor(kube: EmbeddedKube) {
    this.#kube = kube
    this.rpc = new MemoryRpc(this.clock)
    const deps = { client: kube.client, clock: this.clock, log: this.logs.log, ids: new RandomIds() }
    this.actions = new ActionStore(deps)
    this.#events = new EventRecorder(deps, { component: 'nova-conductor' })
  }

  async start(): Promise<void> {
    // The conductor's own lines are no part of what an agent says.
    const deps = { client: this.#kube.client, clock: this.clock, log: captureLog().log }
    await serveTestConductor({ ...deps, rpc: this.rpc, actions: this.actions, events: this.#events })
    await this.rpc.serve({ target: { topic: SCHEDULER_TOPIC }, version: SCHEDULER_RPC_VERSION }, (server) => {
      server
        .handle(buildInstances, async (ctx, args) => {
          this.sentBack.push({ ctx, args })
        })
        .handle(moveInstance, async (ctx, args) => {
          this.sentBack.push({ ctx, args })
        })
        .handle(reportState, async (_ctx, { host }) => {
          this.heartbeats.push(host)
        })
    })
  }

  /** Ends everything and removes the instances and records. */
  async close(): Promise<void> {
    await this.rpc.close()
    await this.#events.flush()
    const { client, server } = this.#kube
    server.faults.clear()
    for (const { metadata } of (await client.list(INSTANCE)).items) await client.delete(INSTANCE, metadata)
    for (const { metadata } of await this.#kube.actions()) await client.delete(INSTANCE_ACTION, metadata)
  }

  /** An agent; a second one of the same host is that agent after a restart. */
  agent(options: Partial<ComputeOptions> & { readonly signal?: AbortSignal } = {}): Agent {
    const { host = 'node-1', shutdownTimeoutMs = 60_000, maxConcurrentBuilds = 10 } = options
    const { signal = new AbortController().signal } = options
    const { clock, hypervisor } = this
    const { log } = this.logs
    const driver = new FakeDriver(
      { hypervisor, clock, log: captureLog().log },
      {
        host,
        resources: {
          vcpus: 8,
          memoryMb: 16_384,
          diskGb: 100,
          hypervisorType: 'fake',
          architecture: 'x86_64',
        },
      },
    )
    const rpc = this.rpc.client({ service: 'compute', host })
    const conductor = new ConductorApi(
      { rpc: new ConductorRpcApi({ rpc }), clock, log, signal },
      { retryDelayMs: 100, maxRetryDelayMs: 1000 },
    )
    const scheduler = new SchedulerRpcApi({ rpc })
    const tracker = new ResourceTracker({ host })
    const deps = { driver, conductor, scheduler, tracker, clock, ids: new RandomIds(), log }
    return {
      driver,
      conductor,
      scheduler,
      tracker,
      manager: new ComputeManager(deps, {
        host,
        shutdownTimeoutMs,
        maxConcurrentBuilds,
      }),
    }
  }

  /** An instance in the middle of an operation, with the record of that. */
  async putInstance(
    ctx: RequestContext,
    action: ActionName,
    fields: { readonly name?: string; readonly status: InstanceStatus },
  ): Promise<Instance> {
    const instance = await this.#kube.putInstance(fields)
    await this.actions.begin(ctx, refOfInstance(instance), action)
    return instance
  }
}

export interface Agent {
  readonly manager: ComputeManager
  readonly driver: FakeDriver
  readonly tracker: ResourceTracker
  readonly conductor: ConductorApi
  readonly scheduler: SchedulerRpcApi
}
