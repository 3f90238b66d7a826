import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../../apis/v1alpha1/instance-action.ts'
import type { ActionName } from '../../apis/v1alpha1/states.ts'
import type { RequestContext } from '../../common/context.ts'
import type { ImmediateOperations } from '../../compute/immediate-operations.ts'

/** What an operation that nova-api does at once led to. */
export interface Performed {
  /** The instance as it then is. */
  readonly instance: Instance
  readonly output?: string
}

/** How an operation is done that nova-api does at once, by itself. */
export interface ImmediateOperation {
  /** The step's name in the record. Nova: `api_<method>`. */
  readonly step: string
  /**
   * Does it, from the parameters of the action. May be repeated: whoever did it may have died before he said so.
   * Rejects with a NovaError that is terminal where it is not allowed; its sentence is what the user is told.
   */
  perform(ctx: RequestContext, instance: Instance, spec: InstanceActionSpec): Promise<Performed>
  /** What an Event on the instance says when it is done. */
  readonly done: { readonly reason: string; sentence(instance: Instance): string }
}

/** The operations that users ask for and nova-api does at once. */
export function immediateOperations(
  operations: ImmediateOperations,
): Readonly<Partial<Record<ActionName, ImmediateOperation>>> {
  return {
    lock: {
      step: 'api_lock',
      perform: async (ctx, instance, spec) => ({ instance: await operations.lock(ctx, instance, spec) }),
      done: {
        reason: 'Locked',
        sentence: ({ status: { lockedBy, lockedReason } }) => {
          const by = lockedBy === 'admin' ? 'an administrator' : 'its owner'
          return `Instance is locked by ${by}${lockedReason === undefined ? '' : `: ${lockedReason}`}`
        },
      },
    },
    unlock: {
      step: 'api_unlock',
      perform: async (ctx, instance, spec) => ({ instance: await operations.unlock(ctx, instance, spec) }),
      done: { reason: 'Unlocked', sentence: () => 'Instance is unlocked' },
    },
    resetState: {
      step: 'api_reset_state',
      perform: async (ctx, instance, { state = 'error' }) => ({
        instance: await operations.resetState(ctx, instance, { state }),
      }),
      done: {
        reason: 'StateReset',
        sentence: ({ status }) => `State was reset to ${status.vmState}; nothing was done to the guest`,
      },
    },
    forceDelete: {
      step: 'api_force_delete',
      perform: async (ctx, instance) => ({ instance: await operations.forceDelete(ctx, instance) }),
      done: { reason: 'Deleting', sentence: () => 'Instance is being deleted' },
    },
    getConsoleOutput: {
      step: 'api_get_console_output',
      perform: async (ctx, instance, { lines }) => ({
        instance,
        output: await operations.getConsoleOutput(ctx, instance, lines),
      }),
      done: { reason: 'ConsoleRead', sentence: () => 'Console output was read' },
    },
  }
}
