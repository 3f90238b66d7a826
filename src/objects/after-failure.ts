import { stepOf } from '../apis/v1alpha1/steps.ts'
import type { TaskState, VmState } from '../apis/v1alpha1/states.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import { ComputeResourcesUnavailable } from '../common/errors/scheduling.ts'
import type { InstanceUpdate } from './instance-update.ts'

/**
 * Where an operation that failed for good leaves an instance, as the table of operations says. What was not even begun
 * changes nothing. A failed delete stays under way: something may be left to remove.
 */
export function afterFailure(
  failed: { readonly taskState: TaskState; readonly vmState?: VmState | undefined },
  error?: unknown,
): InstanceUpdate {
  const { taskState, vmState } = failed
  const { failure } = stepOf(taskState)
  if (taskState === 'deleting') return failure === 'unchanged' ? {} : { vmState: failure }
  const keeps = failure === 'unchanged' || isNotBegun(error)
  return {
    taskState: null,
    migration: null,
    // It had no host before, and does not keep the one that was to be its next.
    ...(taskState === 'unshelving' &&
      vmState === 'shelved_offloaded' && { host: null, availabilityZone: null }),
    ...(!keeps && { vmState: failure }),
  }
}

/** The hypervisor cannot do it, the host it was to go to has no room, or the one it was to leave is up again. */
function isNotBegun(error: unknown): boolean {
  return (
    (error instanceof NovaError && error.code === 501) ||
    error instanceof ComputeResourcesUnavailable ||
    error instanceof ComputeServiceInUse
  )
}
