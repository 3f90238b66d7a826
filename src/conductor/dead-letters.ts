import { z } from 'zod'
import type { Instance } from '../apis/v1alpha1/instance.ts'
import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import type { FreedHosts } from '../compute/freed-hosts.ts'
import type { Logger } from '../common/log.ts'
import type { EventRecorder } from '../kube/event-recorder.ts'
import { afterFailure } from '../objects/after-failure.ts'
import { actionProgress, NO_PROGRESS } from '../objects/action-progress.ts'
import { type ActionStore, recordOf } from '../objects/action-store.ts'
import { type InstanceRef, instanceRef } from '../objects/build-request.ts'
import { hostsOf } from '../objects/expected-state.ts'
import type { InstanceStore } from '../objects/instance-store.ts'
import type { DeadLetter } from '../rpc/dead-letter.ts'

/** Every command names its instance in one of these two places. */
const aboutInstance = z.union([
  z.object({ instance: instanceRef, progress: actionProgress.optional() }),
  z
    .object({ request: z.object({ instance: instanceRef }), progress: actionProgress.optional() })
    .transform(({ request, progress }) => ({ instance: request.instance, progress })),
])

/** Puts a message that was given up into the fault of its instance, so that nobody waits for it. */
export class DeadLetterOffice {
  readonly #instances: InstanceStore
  readonly #actions: ActionStore
  readonly #events: EventRecorder
  readonly #clock: Clock
  readonly #freed: FreedHosts
  readonly #log: Logger

  constructor(deps: {
    readonly instances: InstanceStore
    readonly actions: ActionStore
    readonly freed: FreedHosts
    readonly events: EventRecorder
    readonly clock: Clock
    readonly log: Logger
  }) {
    this.#instances = deps.instances
    this.#actions = deps.actions
    this.#events = deps.events
    this.#clock = deps.clock
    this.#freed = deps.freed
    this.#log = deps.log.named('nova.conductor.dead_letters')
  }

  async receive(letter: DeadLetter): Promise<void> {
    const { ctx, method, error, attempts, topic, host } = letter
    const about = aboutInstance.safeParse(letter.args)
    const log = this.#log.with(ctx, about.success ? about.data.instance.uid : undefined)
    log.error('Gave a message up', { method, topic, host, attempts, error: error.message })
    if (!about.success) return
    const instance = await this.#find(about.data.instance)
    const task = instance?.status.taskState
    // Only the operation that the message belonged to has failed; a later one goes on, and so does another host.
    if (!instance || !task || (instance.status.requestId ?? ctx.requestId) !== ctx.requestId) return
    if (host !== undefined && !hostsOf(instance.status).includes(host)) return
    const now = toTimestamp(this.#clock.now())
    const fault = {
      code: 500,
      reason: error.name,
      message: error.message,
      ...(host !== undefined && { host }),
      requestId: ctx.requestId,
      created: now,
    }
    const saved = await this.#instances.save(
      instance,
      { ...afterFailure({ ...instance.status, taskState: task }), fault },
      { taskState: [task] },
    )
    const action = actionInFlight({ ...instance.status, taskState: task })
    await this.#actions.end(recordOf(instance, ctx.requestId, action), {
      result: 'Error',
      message: error.message,
      progress: about.data.progress ?? NO_PROGRESS,
    })
    await this.#freed.tell(ctx, instance, saved)
    this.#events.record({
      object: saved,
      type: 'Warning',
      reason: error.name,
      message: `${method} failed ${attempts} times: ${error.message} (${ctx.requestId})`,
    })
  }

  async #find(ref: InstanceRef): Promise<Instance | undefined> {
    try {
      return await this.#instances.get(ref)
    } catch (error) {
      if (error instanceof InstanceNotFound) return undefined
      throw error
    }
  }
}
