import type { TaskAction, TaskState } from '../apis/v1alpha1/states.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import {
  InstanceNotFound,
  messageOf,
  NovaError,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import { type ActionProgress, NO_PROGRESS, StepRecorder } from '../objects/action-progress.ts'
import { afterFailure } from '../objects/after-failure.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import { type ExpectedState, type InstanceUpdate, toFault } from '../objects/instance-update.ts'

/** An operation of an agent on an instance that it has. */
export interface HostOperation {
  readonly action: TaskAction
  /** The step's name in the action's record. Nova: `compute_<method>`. */
  readonly step: string
  /** The task the instance must be in for the work to begin, and again for its end to be saved. */
  readonly task: TaskState
  /** Does the work; gives the state it led to. May throw GivenUp. */
  work(instance: InstanceView): Promise<InstanceUpdate>
}

/** Thrown into an operation whose instance is being deleted. */
export class GivenUp extends Error {}

/** Whether the operation was overtaken: the instance is gone, or another operation has it now. */
export function isPreempted(error: unknown): error is Error {
  return (
    error instanceof GivenUp ||
    error instanceof UnexpectedTaskStateError ||
    error instanceof UnexpectedDeletingTaskStateError ||
    error instanceof InstanceNotFound
  )
}

/**
 * What every operation of an agent shares: check that it is still wanted, do it, save its end and its record
 * in one message, and turn a failure into a fault. What Nova has as the decorators `wrap_instance_event`,
 * `wrap_instance_fault` and `reverts_task_state`.
 */
export class InstanceOperations {
  readonly #conductor: ConductorApi
  readonly #clock: Clock
  readonly #log: Logger
  readonly #host: string

  constructor(
    deps: { readonly conductor: ConductorApi; readonly clock: Clock; readonly log: Logger },
    options: { readonly host: string },
  ) {
    this.#conductor = deps.conductor
    this.#clock = deps.clock
    this.#log = deps.log
    this.#host = options.host
  }

  /** Begins a step of an operation, to go into its record. */
  beginStep(name: string, before: ActionProgress = NO_PROGRESS): StepRecorder {
    return new StepRecorder(this.#clock, { name, host: this.#host }, before)
  }

  /**
   * Runs an operation. A message that comes late (its operation was overtaken) is dropped.
   * @throws what `work` throws, when trying again may help; what cannot help is a fault already
   */
  async run(ctx: RequestContext, ref: InstanceRef, operation: HostOperation): Promise<void> {
    const step = this.beginStep(operation.step)
    try {
      await this.#carryOut(ctx, ref, operation, step).catch(async (error: unknown) => {
        if (isPreempted(error) || !isFinal(error)) throw error
        await this.#giveUp(ctx, ref, operation, { error, progress: step.failed(error) })
      })
    } catch (error) {
      if (!isPreempted(error)) throw error
      this.#log.with(ctx, ref.uid).info('Stopped the operation: something else came first', {
        step: operation.step,
        reason: error.message,
      })
    }
  }

  // oxlint-disable-next-line max-params -- one operation: who asks, for what, and its record
  async #carryOut(
    ctx: RequestContext,
    ref: InstanceRef,
    operation: HostOperation,
    step: StepRecorder,
  ): Promise<void> {
    const expected = this.#expectedOf(ctx, operation)
    const instance = await this.#conductor.instanceGet(ctx, ref)
    if (!isWanted(instance, expected)) {
      this.#log.with(ctx, ref.uid).info('Dropped a message that came late', {
        step: operation.step,
        task_state: instance.taskState ?? null,
      })
      return
    }
    const update = await operation.work(instance)
    await this.#conductor.instanceUpdate(ctx, {
      instance: ref,
      update: { taskState: null, fault: null, ...update },
      expected,
      note: { action: operation.action, progress: step.succeeded(), end: { result: 'Success' } },
    })
  }

  // oxlint-disable-next-line max-params -- one operation: who asks, for what, and how it ended
  async #giveUp(
    ctx: RequestContext,
    ref: InstanceRef,
    operation: HostOperation,
    { error, progress }: { readonly error: Error; readonly progress: ActionProgress },
  ): Promise<void> {
    this.#log
      .with(ctx, ref.uid)
      .warn('The operation failed for good', { step: operation.step, reason: error.message })
    await this.fail(ctx, ref, {
      action: operation.action,
      error,
      update: afterFailure(operation.task),
      expected: this.#expectedOf(ctx, operation),
      progress,
    })
  }

  #expectedOf(ctx: RequestContext, { task }: HostOperation): ExpectedState {
    return { taskState: [task], host: this.#host, requestId: ctx.requestId }
  }

  /** Records that an operation failed for good. */
  async fail(
    ctx: RequestContext,
    ref: InstanceRef,
    failure: {
      readonly action: TaskAction
      readonly error: unknown
      readonly update: InstanceUpdate
      readonly expected: ExpectedState
      readonly progress: ActionProgress
    },
  ): Promise<void> {
    const { action, error, update, expected, progress } = failure
    const now = toTimestamp(this.#clock.now())
    await this.#conductor.instanceUpdate(ctx, {
      instance: ref,
      update: { ...update, fault: toFault(error, { requestId: ctx.requestId, host: this.#host, now }) },
      expected,
      note: { action, progress, end: { result: 'Error', message: messageOf(error) } },
    })
  }
}

/** Whether nothing helps against an error: no other try and no other host. A plain error may be this host's alone. */
export function isFinal(error: unknown): error is NovaError {
  return error instanceof NovaError && error.outcome === 'terminal'
}

function isWanted(instance: InstanceView, expected: ExpectedState): boolean {
  const { host, requestId, taskState } = expected
  return (
    instance.host === host &&
    (requestId === undefined || instance.requestId === requestId) &&
    (!taskState || taskState.includes(instance.taskState ?? null))
  )
}
