import type { Instance } from '../../apis/v1alpha1/instance.ts'
import { stepOf } from '../../apis/v1alpha1/steps.ts'
import { actionInFlight } from '../../apis/v1alpha1/which-operation.ts'
import type { TaskState } from '../../apis/v1alpha1/states.ts'
import type { Clock } from '../../common/clock.ts'
import { TaskTimedOut } from '../../common/errors/instance-state.ts'
import { NovaError } from '../../common/errors/nova-error.ts'
import type { Logger } from '../../common/log.ts'
import type { ComputeApi } from '../../compute/api.ts'
import type { TaskSender } from '../../compute/task-sender.ts'
import { afterFailure } from '../../objects/after-failure.ts'
import type { InstanceUpdate } from '../../objects/instance-update.ts'
import { turnOf } from '../../objects/next-message.ts'
import type { Result } from '../../kube/controller.ts'
import type { Duty } from './duty.ts'
import type { RequestContexts } from './request.ts'

export interface TaskWatchOptions {
  /** After how long without progress a task's message is sent again. */
  readonly redriveAfterMs: number
  /** How long a task may make no progress at all before the operation fails. */
  readonly taskTimeoutMs: (task: TaskState) => number
}

/** What was seen of a task, by our own clock: other machines' clocks do not matter. */
interface Seen {
  /** Changes when the operation moves on. */
  readonly step: string
  readonly sinceMs: number
  readonly sentMs: number
}

/**
 * Sees to it that nothing is stuck: a task that makes no progress has its message sent again, under the same
 * request id, and after a bound the operation fails and says which step stalled. Nova has nothing like it.
 */
export class TaskWatch implements Duty {
  readonly #api: ComputeApi
  readonly #sender: TaskSender
  readonly #contexts: RequestContexts
  readonly #clock: Clock
  readonly #log: Logger
  readonly #options: TaskWatchOptions
  readonly #seen = new Map<string, Seen>()

  constructor(
    deps: {
      readonly api: ComputeApi
      readonly sender: TaskSender
      readonly contexts: RequestContexts
      readonly clock: Clock
      readonly log: Logger
    },
    options: TaskWatchOptions,
  ) {
    this.#api = deps.api
    this.#sender = deps.sender
    this.#contexts = deps.contexts
    this.#clock = deps.clock
    this.#log = deps.log.named('nova.compute.api')
    this.#options = options
  }

  /** The instance's message has just been sent: look again when it should have had an effect. */
  sent(instance: Instance): Result {
    const now = this.#clock.now()
    this.#seen.set(instance.metadata.uid ?? '', { step: positionOf(instance), sinceMs: now, sentMs: now })
    return { kind: 'after', ms: this.#options.redriveAfterMs }
  }

  forget(uid: string): void {
    this.#seen.delete(uid)
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const uid = instance.metadata.uid ?? ''
    const { taskState } = instance.status
    if (!taskState) {
      this.#seen.delete(uid)
      return undefined
    }
    const now = this.#clock.now()
    const seen = this.#seen.get(uid)
    // A leader that has just begun knows of no message: whether the last leader got it out is not to be told.
    if (!seen) return this.#resend(instance, taskState, now)
    if (seen.step !== positionOf(instance)) {
      this.#seen.set(uid, { step: positionOf(instance), sinceMs: now, sentMs: now })
      return { kind: 'after', ms: this.#options.redriveAfterMs }
    }
    if (now - seen.sinceMs >= this.#timeoutMs(instance, taskState)) return this.#giveUp(instance, taskState)
    const waitMs = seen.sentMs + this.#options.redriveAfterMs - now
    if (waitMs > 0) return { kind: 'after', ms: waitMs }
    return this.#resend(instance, taskState, seen.sinceMs)
  }

  /** What shuts a guest down may take as long as that may take. */
  #timeoutMs(instance: Instance, task: TaskState): number {
    const graceMs = stepOf(task).driver.includes('powerOff')
      ? (instance.status.shutdownTimeoutSeconds ?? 0) * 1000
      : 0
    return this.#options.taskTimeoutMs(task) + graceMs
  }

  async #resend(instance: Instance, task: TaskState, sinceMs: number): Promise<Result> {
    const { uid = '' } = instance.metadata
    const ctx = this.#contexts.inFlight(instance)
    const action = actionInFlight({ ...instance.status, taskState: task })
    this.#log.with(ctx, uid).info('Sending the message of a task again that makes no progress', {
      task_state: task,
      host: instance.status.host ?? null,
    })
    try {
      // Whoever set the task may have come to neither.
      await this.#api.record(ctx, instance, action)
      await this.#sender.send(ctx, instance)
    } catch (error) {
      if (!(error instanceof NovaError) || error.outcome !== 'terminal') throw error
      await this.#api.fail(ctx, instance, action, { error, update: failed(instance, task, error) })
      return { kind: 'done' }
    }
    this.#seen.set(uid, { step: positionOf(instance), sinceMs, sentMs: this.#clock.now() })
    return { kind: 'after', ms: this.#options.redriveAfterMs }
  }

  async #giveUp(instance: Instance, task: TaskState): Promise<Result> {
    const ctx = this.#contexts.inFlight(instance)
    const error = new TaskTimedOut({
      task,
      host: turnOf(instance)?.host ?? instance.status.host ?? 'the scheduler',
      seconds: Math.round(this.#timeoutMs(instance, task) / 1000),
    })
    this.#seen.delete(instance.metadata.uid ?? '')
    const action = actionInFlight({ ...instance.status, taskState: task })
    await this.#api.fail(ctx, instance, action, { error, update: failed(instance, task, error) })
    return { kind: 'done' }
  }
}

// oxlint-disable-next-line max-params -- what failed, and why
function failed({ status }: Instance, taskState: TaskState, error: Error): InstanceUpdate {
  return afterFailure({ ...status, taskState }, error)
}

function positionOf({ status }: Instance): string {
  const { requestId, taskState, host, attempt, migration } = status
  return [requestId, taskState, host, attempt, migration?.status, migration?.destHost].join('/')
}
