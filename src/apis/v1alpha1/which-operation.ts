import { OPERATIONS, type OperationName } from './operations.ts'
import type { ActionName, Migration, TaskState } from './states.ts'
import { STEPS } from './steps.ts'

/** Which operation an InstanceAction asks for. */
export function operationOf(spec: {
  readonly action: ActionName
  readonly type?: 'Soft' | 'Hard'
}): OperationName {
  if (spec.action !== 'reboot') return spec.action
  return spec.type === 'Hard' ? 'rebootHard' : 'rebootSoft'
}

/** Whether an operation is asked for by an InstanceAction of the user's. */
export function isAsked(action: ActionName): boolean {
  return OPERATIONS[operationOf({ action })].askedBy === 'InstanceAction'
}

/** Whether nova-api does it at once, by itself: there is no task. */
export function isImmediate(action: ActionName): boolean {
  return OPERATIONS[operationOf({ action })].path.length === 0
}

/** What tells which operation is in flight. */
export interface InFlight {
  readonly taskState?: TaskState | undefined
  readonly action?: { readonly operation: string } | undefined
  readonly migration?: Pick<Migration, 'type'> | undefined
}

/** The action that the task in flight belongs to. Some tasks are shared, so the task alone does not tell. */
export function actionInFlight(status: InFlight & { readonly taskState: TaskState }): ActionName {
  const { taskState, migration } = status
  if (taskState === 'rebuilding') return migration ? 'evacuate' : 'rebuild'
  if (OPERATIONS.resize.path.includes(taskState))
    return migration?.type === 'migration' ? 'migrate' : 'resize'
  return STEPS[taskState].action
}
