import {
  InstanceNotFound,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from './instance-state.ts'

/** Somebody changed the instance first: it is not as the change expects it. */
export function isUnexpectedState(error: unknown): error is Error {
  return error instanceof UnexpectedTaskStateError || error instanceof UnexpectedDeletingTaskStateError
}

/** Somebody changed or deleted the instance first: the operation ends quietly, theirs goes on. */
export function isPreempted(error: unknown): error is Error {
  return isUnexpectedState(error) || error instanceof InstanceNotFound
}
