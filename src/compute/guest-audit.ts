import { isDeepStrictEqual } from 'node:util'
import type { RequestContext } from '../common/context.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { messageOf } from '../common/errors/message-of.ts'
import type { InstanceLocks } from '../common/instance-locks.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import { hostsOf } from '../objects/expected-state.ts'
import type { ComputeDriver, GuestAddress } from '../virt/driver.ts'
import { decidePowerSync } from './power-sync-decision.ts'
import type { ResourceTracker } from './resource-tracker.ts'

interface GuestAuditDeps {
  readonly driver: ComputeDriver
  readonly conductor: ConductorApi
  readonly tracker: ResourceTracker
  /** The agent's own: a guest is not looked at while something is being done to it. */
  readonly locks: InstanceLocks
  readonly log: Logger
}

/** Compares what runs on the host with what should: power states, and guests that no instance knows. */
export class GuestAudit {
  readonly #driver: ComputeDriver
  readonly #conductor: ConductorApi
  readonly #tracker: ResourceTracker
  readonly #locks: InstanceLocks
  readonly #log: Logger
  readonly #host: string

  constructor(deps: GuestAuditDeps, options: { readonly host: string }) {
    this.#driver = deps.driver
    this.#conductor = deps.conductor
    this.#tracker = deps.tracker
    this.#locks = deps.locks
    this.#log = deps.log
    this.#host = options.host
  }

  /**
   * Compares the power of every guest with its instance, but for those that something is being done to: they would hold up the others.
   * nova.compute.manager `_sync_instance_power_state`
   */
  async compareAll(ctx: RequestContext): Promise<void> {
    const instances = await this.#conductor.instanceGetByHost(ctx, this.#host)
    for (const { ref, taskState, host } of instances) {
      // Whatever is in flight sets the state when it ends: not to be waited for.
      if (taskState || host !== this.#host) continue
      await this.#evenIfOneFails(ctx, ref, 'Could not compare a guest with its instance', () =>
        this.#locks.runIfFree(ref.uid, () => this.#compareNow(ctx, ref)),
      )
    }
  }

  /**
   * Looks at a guest whose power changed. Most changes are this agent's own doing: those it knows to be right
   * without asking.
   */
  async follow(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    await this.#locks.run(ref.uid, async () => {
      const saved = this.#conductor.lastSaved(ref.uid)
      const { powerState } = await this.#driver.getInfo(ref)
      const isRight =
        saved &&
        saved.taskState === undefined &&
        decidePowerSync(saved.vmState, undefined, powerState).act === 'nothing'
      if (!isRight) await this.#compareNow(ctx, ref)
    })
  }

  async #compareNow(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    const instance = await this.#find(ctx, ref)
    if (!instance || instance.host !== this.#host) return
    const { powerState, addresses } = await this.#driver.getInfo(ref)
    const decision = decidePowerSync(instance.vmState, instance.taskState, powerState)
    const log = this.#log.with(ctx, ref.uid)
    switch (decision.act) {
      case 'nothing':
        return this.#followAddresses(ctx, instance, addresses)
      case 'warn':
        return log.warn('Power state is not as it should be', {
          reason: decision.reason,
          power_state: powerState,
        })
      case 'stop':
        log.info('Guest is off although its instance is not; asking for it to be stopped', {
          power_state: powerState,
        })
        return this.#conductor.powerStateChanged(ctx, { instance: ref, powerState })
      case 'tell':
        log.warn('Guest is gone although its instance is active', { power_state: powerState })
        return this.#conductor.powerStateChanged(ctx, { instance: ref, powerState })
      case 'force-off':
        log.warn('Guest runs although its instance is stopped; forcing it off', { power_state: powerState })
        return this.#driver.powerOff(ctx, ref, { timeoutMs: 0 })
    }
  }

  /** A guest that has moved, or was given another address, is found where it is. */
  async #followAddresses(
    ctx: RequestContext,
    { ref, vmState, taskState, addresses: known = [] }: InstanceView,
    addresses: readonly GuestAddress[],
  ): Promise<void> {
    if (vmState !== 'active' || taskState || addresses.length === 0) return
    if (isDeepStrictEqual(known.map(plain), addresses.map(plain))) return
    await this.#conductor.instanceUpdate(ctx, {
      instance: ref,
      update: { addresses: [...addresses] },
      expected: { vmState: ['active'], taskState: [null], host: this.#host },
    })
  }

  /** Removes guests whose instance is gone and to which nothing is being done. Nova: `_cleanup_running_deleted_instances`, action reap. */
  async reapUnknown(ctx: RequestContext): Promise<void> {
    for (const { namespace, name, uid } of await this.#driver.listInstances()) {
      const ref = { namespace, name, uid }
      await this.#evenIfOneFails(
        ctx,
        ref,
        'Could not remove a guest whose instance is not on this host',
        () => this.#locks.runIfFree(ref.uid, () => this.#reapIfUnknown(ctx, ref)),
      )
    }
  }

  async #reapIfUnknown(ctx: RequestContext, ref: InstanceRef): Promise<void> {
    if (!(await this.#isUnknown(ctx, ref))) return
    this.#log
      .with(ctx, ref.uid)
      .warn('Removing a guest whose instance is not on this host', { guest: ref.name })
    await this.#driver.destroy(ctx, ref)
    this.#tracker.release(ref.uid)
  }

  async #isUnknown(ctx: RequestContext, ref: InstanceRef): Promise<boolean> {
    const instance = await this.#find(ctx, ref)
    if (!instance) return true
    const { host, vmState } = instance
    // One that is no host's (it waits for one, or is shelved) keeps its guest; so does one that comes or goes.
    if (host === undefined || hostsOf(instance).includes(this.#host)) return false
    // What a failed build left behind is in the way of the next one.
    if (vmState === 'building') return true
    // Where there is one guest for an instance, this is it, with its disks: its host has yet to be given it. One in error may have failed
    // on its way, one from the shelf may not have got there yet.
    return this.#driver.keepsGuestsPerHost && vmState !== 'error' && vmState !== 'shelved_offloaded'
  }

  /** One guest that does not answer keeps the agent neither from the others nor from coming up. */
  // oxlint-disable-next-line max-params -- whose it is, what was tried, and how
  async #evenIfOneFails(
    ctx: RequestContext,
    ref: InstanceRef,
    failure: string,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#log.with(ctx, ref.uid).warn(failure, { guest: ref.name, reason: messageOf(error) })
    }
  }

  async #find(ctx: RequestContext, ref: InstanceRef): Promise<InstanceView | undefined> {
    try {
      return await this.#conductor.instanceGet(ctx, ref)
    } catch (error) {
      if (error instanceof InstanceNotFound) return undefined
      throw error
    }
  }
}

function plain({ address, network, macAddress }: GuestAddress): readonly (string | undefined)[] {
  return [address, network, macAddress]
}
