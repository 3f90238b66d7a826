import type { Instance, InstanceSpecPowerState } from '../../apis/v1alpha1/instance.ts'
import { OPERATIONS, type OperationName } from '../../apis/v1alpha1/operations.ts'
import {
  InstanceInvalidState,
  InstanceNotFound,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../../common/errors/instance-state.ts'
import { NovaError } from '../../common/errors/nova-error.ts'
import type { VmState } from '../../apis/v1alpha1/states.ts'
import type { ComputeApi } from '../../compute/api.ts'
import { DONE, type Result } from '../../kube/controller.ts'
import type { Duty } from './duty.ts'
import type { RequestContexts } from './request.ts'
import type { TaskWatch } from './task-watch.ts'

/** Brings instances into the state that their spec asks for. */
export class DesiredState implements Duty {
  readonly #api: ComputeApi
  readonly #tasks: TaskWatch
  readonly #contexts: RequestContexts

  constructor(deps: {
    readonly api: ComputeApi
    readonly tasks: TaskWatch
    readonly contexts: RequestContexts
  }) {
    this.#api = deps.api
    this.#tasks = deps.tasks
    this.#contexts = deps.contexts
  }

  async reconcile(instance: Instance): Promise<Result | undefined> {
    const operation = wantedOperation(instance)
    if (!operation) return undefined
    const ctx = this.#contexts.of(instance)
    try {
      return this.#tasks.sent(await this.#api.begin(ctx, instance, operation))
    } catch (error) {
      if (!isRefused(error)) throw error
      const { action } = OPERATIONS[operation]
      await this.#api.record(ctx, instance, action)
      await this.#api.fail(ctx, instance, action, { error, update: {} })
      return DONE
    }
  }
}

/**
 * What the spec asks for that the state is not yet. An operation that failed is not begun again by itself: a new change of
 * the spec makes a new request.
 */
export function wantedOperation(instance: Instance): OperationName | undefined {
  const { spec, status, metadata } = instance
  if (status.taskState || status.failedGeneration === metadata.generation) return undefined
  return wantedPower(instance) ?? (wantsResize(spec.flavor, status) ? 'resize' : undefined)
}

/** What leads from a state to the one that is wanted. */
const POWER: Readonly<Record<InstanceSpecPowerState, Readonly<Partial<Record<VmState, OperationName>>>>> = {
  Running: { stopped: 'start', paused: 'unpause', suspended: 'resume' },
  Shutdown: { active: 'stop' },
  Paused: { active: 'pause' },
  Suspended: { active: 'suspend' },
}

function wantedPower({ spec, status, metadata }: Instance): OperationName | undefined {
  const { vmState = 'building', powerState, host, observedGeneration = 0 } = status
  if (spec.powerState === 'Shutdown' && vmState === 'error' && host !== undefined) {
    // Only when it was asked for since: what is in error is not stopped by itself.
    return observedGeneration < (metadata.generation ?? 1) ? 'stop' : undefined
  }
  // A paused guest that went off by itself.
  const isOff = powerState === 'SHUTDOWN' || powerState === 'CRASHED'
  if (spec.powerState === 'Shutdown' && vmState === 'paused' && isOff) return 'stop'
  return POWER[spec.powerState][vmState]
}

function wantsResize(wanted: string, { vmState, flavor }: Instance['status']): boolean {
  return flavor !== undefined && flavor.name !== wanted && (vmState === 'active' || vmState === 'stopped')
}

/** Whether it cannot be done as it was asked for; what changed meanwhile is looked at anew. */
function isRefused(error: unknown): error is NovaError {
  return (
    error instanceof NovaError && error.outcome === 'terminal' && !CHANGED.some((one) => error instanceof one)
  )
}

const CHANGED = [
  InstanceInvalidState,
  InstanceNotFound,
  UnexpectedTaskStateError,
  UnexpectedDeletingTaskStateError,
]
