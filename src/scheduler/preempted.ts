import {
  InstanceNotFound,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'

/** Somebody changed or deleted the instance first: the operation ends quietly, theirs goes on. */
export function isPreempted(error: unknown): error is Error {
  return (
    error instanceof UnexpectedTaskStateError ||
    error instanceof UnexpectedDeletingTaskStateError ||
    error instanceof InstanceNotFound
  )
}
