import {
  GuestOperationFailure,
  InstancePowerOffFailure,
  InstancePowerOnFailure,
} from '../../common/errors/guest.ts'
import { messageOf } from '../../common/errors/message-of.ts'
import { ApiError } from '../../kube/api-error.ts'
import type { GuestRef } from '../driver.ts'

/** Does a work of several steps, and has it fail as the operation that was asked for and not as one of its steps. */
export async function asOperation<T>(operation: string, guest: GuestRef, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === undefined) throw error
    throw new GuestOperationFailure({ instance: guest.uid, operation, reason }, { cause: error })
  }
}

function reasonOf(error: unknown): string | undefined {
  if (error instanceof InstancePowerOffFailure) return error.details.reason
  if (error instanceof InstancePowerOnFailure) return error.details.reason
  return error instanceof ApiError ? messageOf(error) : undefined
}
