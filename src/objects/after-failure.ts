import { stepOf } from '../apis/v1alpha1/steps.ts'
import type { TaskState, VmState } from '../apis/v1alpha1/states.ts'
import { NovaError } from '../common/errors/nova-error.ts'
import type { InstanceUpdate } from './instance-update.ts'

/**
 * Where an operation that failed for good leaves an instance, as the table of operations says. What was not even begun,
 * because the hypervisor cannot do it, changes nothing. A failed delete stays under way: something may be left to remove.
 */
export function afterFailure(
  failed: { readonly taskState: TaskState; readonly vmState?: VmState | undefined },
  error?: unknown,
): InstanceUpdate {
  const { taskState, vmState } = failed
  const { failure } = stepOf(taskState)
  if (taskState === 'deleting') return failure === 'unchanged' ? {} : { vmState: failure }
  const keeps = failure === 'unchanged' || isNotSupported(error)
  return {
    taskState: null,
    migration: null,
    // It had no host before, and does not keep the one that was to be its next.
    ...(taskState === 'unshelving' &&
      vmState === 'shelved_offloaded' && { host: null, availabilityZone: null }),
    ...(!keeps && { vmState: failure }),
  }
}

function isNotSupported(error: unknown): boolean {
  return error instanceof NovaError && error.code === 501
}
