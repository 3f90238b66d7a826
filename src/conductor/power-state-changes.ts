import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { GuestVanished } from '../common/errors/guest.ts'
import { isUnexpectedState } from '../common/errors/preempted.ts'
import type { Logger } from '../common/log.ts'
import { isConflict } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import type { ExpectedState } from '../objects/expected-state.ts'
import { toFault } from '../objects/instance-fault.ts'
import { checkIsOn } from './compute-rights.ts'
import type { PowerStateChange } from './rpcapi.ts'

interface PowerStateDeps {
  readonly client: KubeClient
  readonly instances: InstanceStore
  readonly events: EventRecorder
  readonly clock: Clock
  readonly log: Logger
}

/** What becomes of an instance whose guest changed its power state by itself. */
export class PowerStateChanges {
  readonly #deps: PowerStateDeps
  readonly #log: Logger

  constructor(deps: PowerStateDeps) {
    this.#deps = deps
    this.#log = deps.log.named('nova.conductor.manager')
  }

  /**
   * As in Nova, an instance whose guest shut itself down becomes stopped through an operation of its own: what the user wants
   * is set to what the guest did. One whose guest is gone ends in error, and says so.
   *
   * @param host of the agent that tells of it
   * @throws Forbidden where the instance is on another host
   */
  async receive(ctx: RequestContext, host: string, args: PowerStateChange): Promise<void> {
    const { instance: ref, powerState } = args
    const instance = await this.#deps.instances.get(ref)
    const { status, spec } = instance
    checkIsOn(host, instance)
    if ((status.vmState !== 'active' && status.vmState !== 'paused') || status.taskState) return
    const as: ExpectedState = { vmState: [status.vmState], taskState: [null], host }
    try {
      if (powerState === 'NOSTATE') return await this.#guestVanished(ctx, instance, as)
      if (spec.powerState === 'Shutdown') {
        // A stop that failed is not begun again while its fault stands; the guest went off by itself after all.
        await this.#deps.instances.save(instance, { powerState, fault: null }, as)
        return
      }
      // What the guest did is written down first, as in Nova. It also lets the stop through where the instance is locked or paused.
      const { metadata } = await this.#deps.instances.save(instance, { powerState }, as)
      await this.#deps.client.mergePatch(
        INSTANCE,
        { namespace: ref.namespace, name: ref.name },
        { spec: { powerState: 'Shutdown' } },
        { resourceVersion: metadata.resourceVersion },
      )
      this.#log
        .with(ctx, ref.uid)
        .info('Guest shut itself down; asked for the instance to be stopped', { host })
    } catch (error) {
      // Somebody changed the instance first; the next power sync looks again.
      if (!isConflict(error) && !isUnexpectedState(error)) throw error
    }
  }

  async #guestVanished(ctx: RequestContext, instance: Instance, as: ExpectedState): Promise<void> {
    const { uid = '' } = instance.metadata
    const host = instance.status.host ?? ''
    const error = new GuestVanished({ instance: uid, host })
    const now = toTimestamp(this.#deps.clock.now())
    const fault = toFault(error, { requestId: ctx.requestId, host, now })
    await this.#deps.instances.save(
      instance,
      { vmState: 'error', powerState: 'NOSTATE', addresses: [], fault },
      as,
    )
    this.#log.with(ctx, uid).error('The guest of an instance is gone', { host })
    this.#deps.events.record({
      object: instance,
      type: 'Warning',
      reason: error.name,
      message: `${error.message} (${ctx.requestId})`,
    })
  }
}
