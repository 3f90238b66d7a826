import type { HostMethod } from '../../objects/next-message.ts'
import { diskOperations } from './disk.ts'
import { evacuation, movingOperations } from './moving.ts'
import type { OperationDeps, OperationMaker, OperationOptions } from './operation.ts'
import { powerOperations } from './power.ts'
import { removalOperations } from './removal.ts'
import { shelvingOperations } from './shelving.ts'

/** Everything an agent can be told to do with an instance, by the message that tells it. */
export function hostOperations(
  deps: OperationDeps,
  options: OperationOptions,
): Readonly<Record<HostMethod, OperationMaker>> {
  const disk = diskOperations(deps, options)
  const evacuate = evacuation(deps, options)
  return {
    ...powerOperations(deps, options),
    ...disk,
    ...removalOperations(deps, options),
    ...shelvingOperations(deps, options),
    ...movingOperations(deps, options),
    // Nova's evacuation is a rebuild elsewhere, and comes by the same message.
    rebuild_instance: (call) => {
      const [here, elsewhere] = [disk.rebuild_instance(call), evacuate(call)]
      const isEvacuated = (instance: Parameters<typeof here.work>[0]): boolean =>
        instance.migration !== undefined
      return {
        work: (instance) => (isEvacuated(instance) ? elsewhere : here).work(instance),
        undo: async (instance) => (isEvacuated(instance) ? elsewhere.undo?.(instance) : undefined),
      }
    },
  }
}
