import type { Instance } from '../../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../../apis/v1alpha1/instance-action.ts'
import type { AskedAction } from '../../apis/v1alpha1/states.ts'
import type { RequestContext } from '../../common/context.ts'
import type { ComputeApi } from '../../compute/api.ts'

/** How an operation that is asked for by an InstanceAction is done. */
export interface AskedOperation {
  /** The step's name in the record. Nova: `api_<method>`. */
  readonly step: string
  /**
   * Does it, from the parameters of the action, and gives the instance as it then is. May be repeated: whoever did it may have died before he said so.
   * Rejects with a NovaError that is terminal where it is not allowed; its sentence is what the user is told.
   */
  perform(ctx: RequestContext, instance: Instance, spec: InstanceActionSpec): Promise<Instance>
  /** What an Event on the instance says when it is done. */
  readonly done: { readonly reason: string; sentence(instance: Instance): string }
}

/** The operations that users ask for, done by nova.compute.api. */
export function askedOperations(api: ComputeApi): Readonly<Record<AskedAction, AskedOperation>> {
  return {
    lock: {
      step: 'api_lock',
      perform: (ctx, instance, spec) => api.lock(ctx, instance, spec),
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
      perform: (ctx, instance, spec) => api.unlock(ctx, instance, spec),
      done: { reason: 'Unlocked', sentence: () => 'Instance is unlocked' },
    },
  }
}
