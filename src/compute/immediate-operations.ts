import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import type { RequestContext } from '../common/context.ts'
import { PolicyNotAuthorized } from '../common/errors/access.ts'
import { creationRequestId } from '../common/ids.ts'
import type { Logger } from '../common/log.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { NO_PROGRESS } from '../objects/action-progress.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import type { ComputeApi } from './api.ts'
import type { FreedHosts } from './freed-hosts.ts'
import type { ComputeRpcApi } from './rpcapi.ts'

interface ImmediateDeps {
  readonly client: KubeClient
  readonly api: ComputeApi
  readonly instances: InstanceStore
  readonly actions: ActionStore
  readonly computeRpc: ComputeRpcApi
  readonly freed: FreedHosts
  readonly log: Logger
}

/** As many lines of a console as are shown where nothing is said. */
const LINES = 50

/** The operations that nova-api does at once: they have no task. Every one may be repeated. nova.compute.api. */
export class ImmediateOperations {
  readonly #deps: ImmediateDeps
  readonly #log: Logger

  constructor(deps: ImmediateDeps) {
    this.#deps = deps
    this.#log = deps.log.named('nova.compute.api')
  }

  /**
   * Locks an instance: until it is unlocked its owner can change nothing of it. With `override` the lock is an
   * administrator's, and takes the place of an owner's. An owner's lock of what is locked already changes nothing.
   * Gives the instance as it then is. nova.compute.api.API.lock
   */
  async lock(
    ctx: RequestContext,
    instance: Instance,
    { override = false, reason }: { readonly override?: boolean; readonly reason?: string },
  ): Promise<Instance> {
    const { lockedBy, lockedReason } = instance.status
    const by = override ? 'admin' : 'owner'
    const isThere = lockedBy === by && (reason ?? lockedReason) === lockedReason
    if (isThere || (lockedBy && !override)) return instance
    const locked = await this.#deps.instances.save(
      instance,
      { lockedBy: by, ...(reason !== undefined && { lockedReason: reason }) },
      { lockedBy: lockedBy ?? null },
    )
    this.#log.with(ctx, instance.metadata.uid).info('Locked instance', { locked_by: by })
    return locked
  }

  /**
   * Unlocks an instance, whether it is locked or not, and gives it as it then is. nova.compute.api.API.unlock, and what
   * its API controller checks.
   * @throws PolicyNotAuthorized for an administrator's lock, without `override`
   */
  async unlock(
    ctx: RequestContext,
    instance: Instance,
    { override = false }: { readonly override?: boolean },
  ): Promise<Instance> {
    const { lockedBy } = instance.status
    const { uid = '' } = instance.metadata
    if (!lockedBy) return instance
    if (lockedBy === 'admin' && !override) {
      throw new PolicyNotAuthorized({
        policy: 'os_compute_api:os-lock-server:unlock:unlock_override',
        reason: `Instance ${uid} was locked by an administrator, who unlocks it with override`,
      })
    }
    const update = { lockedBy: null, lockedReason: null }
    const unlocked = await this.#deps.instances.save(instance, update, { lockedBy })
    this.#log.with(ctx, uid).info('Unlocked instance', { locked_by: lockedBy })
    return unlocked
  }

  /**
   * Writes a vm_state down and ends whatever is in flight, without a look at host or guest: for an administrator who knows
   * better. Gives the instance as it then is. nova/api/openstack/compute/admin_actions.py `_reset_state`
   */
  async resetState(
    ctx: RequestContext,
    instance: Instance,
    { state }: { readonly state: 'active' | 'error' },
  ): Promise<Instance> {
    const { uid = '' } = instance.metadata
    const { taskState, vmState, requestId = creationRequestId(uid) } = instance.status
    const reset = await this.#deps.instances.save(
      instance,
      { vmState: state, taskState: null, migration: null },
      { taskState: [taskState ?? null], vmState: [vmState ?? 'building'] },
    )
    if (taskState && requestId !== ctx.requestId) {
      const action = actionInFlight({ ...instance.status, taskState })
      const end = { result: 'Error', message: 'Overtaken by resetState', progress: NO_PROGRESS } as const
      await this.#deps.actions.end(recordOf(instance, requestId, action), end)
    }
    this.#log
      .with(ctx, uid)
      .info('Reset state of instance', { from: vmState, to: state, task_state: taskState })
    return reset
  }

  /** Deletes an instance, from whatever state it is in: what follows is the delete it asks for. nova.compute.api.API.force_delete */
  async forceDelete(ctx: RequestContext, instance: Instance): Promise<Instance> {
    const { namespace = '', name, uid = '' } = instance.metadata
    this.#deps.api.check(instance, 'forceDelete', { byUser: true })
    try {
      await this.#deps.client.delete(INSTANCE, { namespace, name }, { uid })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    this.#log.with(ctx, uid).info('Asked for the instance to be deleted', { name })
    return instance
  }

  /**
   * What the guest wrote to its serial console last. A call to its host, as in Nova.
   * @throws InstanceNotReady where it has no host; ConsoleNotAvailable, MessageUndeliverable
   */
  async getConsoleOutput(ctx: RequestContext, instance: Instance, lines = LINES): Promise<string> {
    this.#deps.api.check(instance, 'getConsoleOutput', { byUser: true })
    const { host = '' } = instance.status
    return this.#deps.computeRpc.getConsoleOutput(ctx, host, { instance: refOfInstance(instance), lines })
  }
}
