import type { InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { stepOf } from '../../apis/v1alpha1/steps.ts'
import type { TaskState } from '../../apis/v1alpha1/states.ts'

/**
 * Where an operation that failed for good leaves an instance: the table's word, and what is not in a column of it.
 *
 * @param options.isRefused the hypervisor cannot do it: then nothing was done
 */
export function endOfFailure(
  { vmState, taskState, host }: InstanceStatus & { readonly taskState: TaskState },
  { isRefused }: { readonly isRefused: boolean },
): Pick<InstanceStatus, 'vmState' | 'taskState' | 'host'> {
  // Something may be left to remove: a delete goes on.
  if (taskState === 'deleting') return { vmState: 'error', taskState, ...(host && { host }) }
  const { failure } = stepOf(taskState)
  const keeps = failure === 'unchanged' || isRefused
  // It had none before, and does not keep the one that was to be its next.
  const losesHost = taskState === 'unshelving' && vmState === 'shelved_offloaded'
  return {
    ...(vmState && { vmState: keeps ? vmState : failure }),
    ...(!losesHost && host && { host }),
  }
}
