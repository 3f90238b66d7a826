import type { TaskState } from '../apis/v1alpha1/states.ts'
import type { InstanceUpdate } from './instance-update.ts'

/**
 * Where a failed operation leaves an instance. As in Nova a failed start or stop keeps the vm_state; a failed
 * delete stays under way, because something may be left to remove.
 */
export function afterFailure(task: TaskState): InstanceUpdate {
  switch (task) {
    case 'scheduling':
    case 'spawning':
      return { vmState: 'error', taskState: null }
    case 'powering-off':
    case 'powering-on':
      return { taskState: null }
    case 'deleting':
      return { vmState: 'error' }
  }
}
