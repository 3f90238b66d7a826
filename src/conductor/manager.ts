import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { RequestContext } from '../common/context.ts'
import { isUnexpectedState } from '../common/errors/preempted.ts'
import type { Logger } from '../common/log.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import type { BuildRequest, DiskSource, InstanceRef } from '../objects/build-request.ts'
import type { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import { checkExpected } from '../objects/expected-state.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { nextMessage } from '../objects/next-message.ts'
import { RecentInstances } from '../objects/recent-instances.ts'
import type { FreedHosts } from '../compute/freed-hosts.ts'
import type { TaskSender } from '../compute/task-sender.ts'
import { isCarriedOut } from './carried-out.ts'
import { checkComputeMaySet, checkInvolves, checkIsOn } from './compute-rights.ts'
import { toView } from './instance-view.ts'
import { DONE, isShared } from './outcomes.ts'
import type { ActionNote, InstanceUpdateArgs, InstanceView } from './rpcapi.ts'

interface ConductorDeps {
  readonly client: KubeClient
  readonly instances: InstanceStore
  readonly actions: ActionStore
  readonly requests: BuildRequestResolver
  /** Tells whoever has the next turn with an instance. */
  readonly sender: TaskSender
  readonly freed: FreedHosts
  readonly events: EventRecorder
  readonly log: Logger
}

/** An operation reads an instance once and writes it once, soon after. */
const RECENT = 512

/**
 * Reads and writes instances for compute agents, each only what its host has a say in. What it remembers only spares reads, so any number of conductors may run.
 * nova.conductor.manager.
 */
export class ConductorManager {
  readonly #deps: ConductorDeps
  readonly #log: Logger
  readonly #recent = new RecentInstances({ limit: RECENT })

  constructor(deps: ConductorDeps) {
    this.#deps = deps
    this.#log = deps.log.named('nova.conductor.manager')
  }

  async instanceGet(ctx: RequestContext, agent: string, ref: InstanceRef): Promise<InstanceView> {
    const view = toView(await this.#get(ref))
    this.#log.with(ctx, ref.uid).info('Read instance', {
      by: agent,
      host: view.host ?? null,
      vm_state: view.vmState,
      task_state: view.taskState ?? null,
    })
    return view
  }

  /** As it is now, whatever is remembered. */
  async #get(ref: InstanceRef): Promise<Instance> {
    const instance = await this.#deps.instances.get(ref)
    this.#recent.put(instance)
    return instance
  }

  /** The instances bound to a host. */
  async instanceGetByHost(host: string): Promise<InstanceView[]> {
    const instances = await this.#deps.instances.listByHost(host)
    return instances.map(toView)
  }

  /**
   * What is to be built, user data and all: for the host that the instance is bound to or moves to, and nobody else.
   * @throws Forbidden, and what resolving may throw
   */
  async buildRequestGet(host: string, ref: InstanceRef): Promise<BuildRequest> {
    const instance = await this.#deps.instances.get(ref)
    checkInvolves(host, instance)
    return this.#deps.requests.resolve(instance)
  }

  /**
   * The disk to rescue an instance with: that of the image that was asked for, or its own.
   * @throws Forbidden, ImageNotFound, ImageUnacceptable
   */
  async diskGet(host: string, ref: InstanceRef): Promise<DiskSource> {
    const instance = await this.#deps.instances.get(ref)
    checkInvolves(host, instance)
    return this.#deps.requests.rescueDisk(instance, instance.status.action?.image)
  }

  /**
   * Changes an instance's state for the agent of a host it is bound to, or moves between, if it is as the agent expects. Where that makes
   * it another host's turn, that one is told.
   * @throws Forbidden, UnexpectedTaskStateError, UnexpectedDeletingTaskStateError, InstanceNotFound
   */
  async instanceUpdate(ctx: RequestContext, host: string, args: InstanceUpdateArgs): Promise<InstanceView> {
    checkComputeMaySet(host, args.update)
    const before = args.update.migration === null ? await this.#get(args.instance) : undefined
    const saved = await this.#saveOnce(ctx, host, args)
    this.#log.with(ctx, args.instance.uid).info('Saved instance', {
      host,
      vm_state: saved.status.vmState,
      task_state: saved.status.taskState ?? null,
      power_state: saved.status.powerState,
    })
    if (args.note) await this.#note(ctx, saved, host, args.note)
    const next = nextMessage(saved)
    if (next?.to === 'compute' && next.turn.host !== host) await this.#deps.sender.send(ctx, saved)
    if (before) await this.#deps.freed.tell(ctx, before, saved, host)
    return toView(saved)
  }

  /**
   * An agent that missed our answer asks again. Then what it asks for is there already, by its own request, and
   * only the record may be missing.
   */
  async #saveOnce(ctx: RequestContext, host: string, args: InstanceUpdateArgs): Promise<Instance> {
    try {
      return await this.#saveFromRecent(host, args)
    } catch (error) {
      if (!isUnexpectedState(error) || !args.note) throw error
      const current = await this.#get(args.instance)
      if (!isCarriedOut(current, args, { host, requestId: ctx.requestId })) throw error
      return current
    }
  }

  async #saveFromRecent(host: string, args: InstanceUpdateArgs): Promise<Instance> {
    const recent = this.#recent.get(args.instance.uid)
    if (!recent) return this.#save(await this.#get(args.instance), host, args)
    try {
      return await this.#save(recent, host, args)
    } catch (error) {
      // What is remembered may be behind: only what is there now can refuse.
      if (!isUnexpectedState(error)) throw error
      return this.#save(await this.#get(args.instance), host, args)
    }
  }

  async #save(instance: Instance, host: string, { update, expected }: InstanceUpdateArgs): Promise<Instance> {
    const mine = { ...expected, involves: host }
    try {
      // First: what is asked for once more may have come about, and then its host is another.
      checkExpected(instance, mine)
      const change = await this.#completed(instance, host, update)
      const saved = await this.#deps.instances.save(instance, change, mine)
      this.#recent.put(saved)
      return saved
    } catch (error) {
      this.#recent.forget(instance.metadata.uid ?? '')
      throw error
    }
  }

  /** What follows from a change of host, which agents have no say in. */
  async #completed(instance: Instance, agent: string, update: InstanceUpdate): Promise<InstanceUpdate> {
    const { host } = update
    const { triedHosts = [], migration } = instance.status
    if (host === undefined) return update
    if (host === null) {
      checkIsOn(agent, instance)
      return { ...update, ...(update.taskState === 'scheduling' && { triedHosts: [...triedHosts, agent] }) }
    }
    checkInvolves(host, instance)
    const flavor = host === migration?.destHost ? migration.newFlavor : migration?.oldFlavor
    const zone = await this.#zoneOf(host)
    return { ...update, availabilityZone: zone ?? null, ...(flavor && { flavor }) }
  }

  async #zoneOf(host: string): Promise<string | undefined> {
    try {
      return (await this.#deps.client.get(COMPUTE_NODE, { name: host })).status?.availabilityZone
    } catch (error) {
      if (!isNotFound(error)) throw error
      return undefined
    }
  }

  async #note(ctx: RequestContext, instance: Instance, host: string, note: ActionNote): Promise<void> {
    const { actions, events } = this.#deps
    const record = recordOf(instance, ctx.requestId, note.action)
    const progress = isShared(note.action) ? await actions.withEarlier(record, note.progress) : note.progress
    if (!note.end) return actions.note(record, progress)
    await actions.end(record, { ...note.end, progress })
    const done = DONE[note.action]
    const succeeded = note.end.result === 'Success'
    events.record({
      object: instance,
      type: succeeded ? 'Normal' : 'Warning',
      reason: succeeded ? done.reason : (instance.status.fault?.reason ?? 'OperationFailed'),
      message: `${succeeded ? done.sentence(host) : (note.end.message ?? 'failed')} (${ctx.requestId})`,
    })
  }
}
