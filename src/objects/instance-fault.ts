import type { InstanceStatusFault } from '../apis/v1alpha1/instance.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { NovaError } from '../common/errors/nova-error.ts'

/** Longest message a fault holds. */
const MAX_FAULT_LENGTH = 4096

/** The record of why an operation failed. nova.objects.InstanceFault. */
export function toFault(
  error: unknown,
  about: { readonly requestId: string; readonly host?: string | undefined; readonly now: string },
): InstanceStatusFault {
  return {
    code: error instanceof NovaError ? error.code : 500,
    reason: error instanceof Error ? error.name : 'Error',
    message: messageOf(error).slice(0, MAX_FAULT_LENGTH),
    ...(about.host !== undefined && { host: about.host }),
    requestId: about.requestId,
    created: about.now,
  }
}
