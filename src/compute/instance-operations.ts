import { actionInFlight } from '../apis/v1alpha1/which-operation.ts'
import type { ActionName, TaskState } from '../apis/v1alpha1/states.ts'
import { type Clock, toTimestamp } from '../common/clock.ts'
import type { RequestContext } from '../common/context.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { isPreempted } from '../common/errors/preempted.ts'
import type { Logger } from '../common/log.ts'
import type { ConductorApi } from '../conductor/api.ts'
import type { InstanceView } from '../conductor/rpcapi.ts'
import { type ActionProgress, NO_PROGRESS, StepRecorder } from '../objects/action-progress.ts'
import { afterFailure } from '../objects/after-failure.ts'
import type { InstanceRef } from '../objects/build-request.ts'
import type { ExpectedState } from '../objects/expected-state.ts'
import { toFault } from '../objects/instance-fault.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { type HostMethod, turnOf } from '../objects/next-message.ts'

/** What an agent does when it is its turn with an instance. */
export interface HostOperation {
  /** The message that tells of it. */
  readonly method: HostMethod
  /** Does the work; gives the state it led to. One with a task hands the instance over to whoever's turn it is then. May throw GivenUp. */
  work(instance: InstanceView): Promise<InstanceUpdate>
  /** Whether to end with an error after which other operations are tried again. */
  givesUp?(instance: InstanceView, error: unknown): boolean
  /** Puts right what the work left half done, before its failure is written down. */
  undo?(instance: InstanceView): Promise<void>
}

/** Thrown into an operation whose instance is being deleted. */
export class GivenUp extends Error {}

/** Whether the operation was overtaken: the instance is gone, or another operation has it now. */
export function isOvertaken(error: unknown): error is Error {
  return error instanceof GivenUp || isPreempted(error)
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
   * Runs an operation. A message that comes late (its operation was overtaken, or it is another host's turn) is dropped.
   * @throws what `work` throws, when trying again may help; what cannot help is a fault already
   */
  async run(ctx: RequestContext, ref: InstanceRef, operation: HostOperation): Promise<void> {
    const step = this.beginStep(`compute_${operation.method}`)
    try {
      const instance = await this.#conductor.instanceGet(ctx, ref)
      const { taskState } = instance
      if (!taskState || !this.#isWanted(ctx, instance, operation.method)) {
        this.#log.with(ctx, ref.uid).info('Dropped a message that came late', {
          step: step.name,
          task_state: taskState ?? null,
        })
        return
      }
      await this.#carryOut(ctx, { ...instance, taskState }, operation, step)
    } catch (error) {
      if (!isOvertaken(error)) throw error
      this.#log.with(ctx, ref.uid).info('Stopped the operation: something else came first', {
        step: step.name,
        reason: error.message,
      })
    }
  }

  #isWanted(ctx: RequestContext, instance: InstanceView, method: HostMethod): boolean {
    const turn = turnOf({ status: instance })
    return turn?.host === this.#host && turn.method === method && instance.requestId === ctx.requestId
  }

  // oxlint-disable-next-line max-params -- one operation: who asks, for what, and its record
  async #carryOut(
    ctx: RequestContext,
    instance: BusyInstance,
    operation: HostOperation,
    step: StepRecorder,
  ): Promise<void> {
    const action = actionInFlight(instance)
    const expected = expectedOf(ctx, instance)
    try {
      const update: InstanceUpdate = { taskState: null, fault: null, ...(await operation.work(instance)) }
      const isOver = update.taskState === null
      await this.#conductor.instanceUpdate(ctx, {
        instance: instance.ref,
        update,
        expected,
        note: { action, progress: step.succeeded(), ...(isOver && { end: { result: 'Success' } }) },
      })
    } catch (error) {
      if (isOvertaken(error)) throw error
      if (!isHopeless(error) && !operation.givesUp?.(instance, error)) throw error
      this.#log
        .with(ctx, instance.ref.uid)
        .warn('The operation failed for good', { step: step.name, reason: messageOf(error) })
      await operation.undo?.(instance)
      const progress = step.failed(error)
      await this.fail(ctx, instance.ref, {
        action,
        error,
        update: afterFailure(instance, error),
        expected,
        progress,
      })
    }
  }

  /** Records that an operation failed for good. */
  async fail(
    ctx: RequestContext,
    ref: InstanceRef,
    failure: {
      readonly action: ActionName
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

/** An operation but a build has no other host to try. */
function isHopeless(error: unknown): error is NovaError {
  return error instanceof NovaError && error.outcome !== 'retry'
}

/** An instance with an operation in flight. */
type BusyInstance = InstanceView & { readonly taskState: TaskState }

/** That nothing came in between: the very same operation, with the same host. */
function expectedOf(ctx: RequestContext, { taskState, host }: BusyInstance): ExpectedState {
  return { taskState: [taskState], host: host ?? null, requestId: ctx.requestId }
}
