import { toTimestamp } from '../../common/clock.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import {
  type OperationDeps,
  type OperationMaker,
  type OperationOptions,
  shutdownTimeoutMs,
} from './operation.ts'
import { OFF, running } from './power.ts'

/** Delete, and what can be taken back of it. */
export function removalOperations(deps: OperationDeps, options: OperationOptions) {
  const { driver, tracker, clock, log } = deps
  return {
    terminate_instance: ({ ctx }) => ({
      work: async ({ ref, migration }) => {
        await driver.destroy(ctx, ref)
        tracker.release(ref.uid)
        log.with(ctx, ref.uid).info('Terminated instance')
        const terminatedAt = toTimestamp(clock.now())
        return {
          vmState: 'deleted',
          powerState: 'NOSTATE',
          addresses: [],
          terminatedAt,
          // Where it came from, or was to go, it is booked no more.
          ...(migration && { migration: null }),
        }
      },
    }),

    soft_delete_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref } = instance
        await driver.powerOff(ctx, ref, { timeoutMs: shutdownTimeoutMs(instance, options), signal })
        log.with(ctx, ref.uid).info('Shut off an instance that is deleted for now')
        return { vmState: 'soft-delete', ...OFF, softDeletedAt: toTimestamp(clock.now()) }
      },
    }),

    restore_instance: ({ ctx, signal }) => ({
      work: async ({ ref }) => {
        const guest = await driver.powerOn(ctx, ref, { signal })
        log.with(ctx, ref.uid).info('Restored instance')
        return { vmState: 'active', ...running(guest), softDeletedAt: null }
      },
    }),
  } as const satisfies Partial<Record<HostMethod, OperationMaker>>
}
