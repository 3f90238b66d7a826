import { toTimestamp } from '../../common/clock.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import { toGuestSpec } from '../guest-spec.ts'
import { claimFor } from './moving.ts'
import {
  type OperationDeps,
  type OperationMaker,
  type OperationOptions,
  shutdownTimeoutMs,
} from './operation.ts'
import { OFF, running } from './power.ts'

/** Shelve, offload and unshelve. The guest that is off keeps the disks; offloaded, it is no host's. */
export function shelvingOperations(deps: OperationDeps, options: OperationOptions) {
  const { driver, conductor, tracker, clock, log } = deps

  return {
    shelve_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref } = instance
        await driver.powerOff(ctx, ref, { timeoutMs: shutdownTimeoutMs(instance, options), signal })
        log.with(ctx, ref.uid).info('Shelved instance')
        return { vmState: 'shelved', ...OFF, shelvedAt: toTimestamp(clock.now()) }
      },
    }),

    shelve_offload_instance: ({ ctx }) => ({
      work: async ({ ref }) => {
        await driver.powerOff(ctx, ref, { timeoutMs: 0 })
        await conductor.guestAssign(ctx, { instance: ref, step: 'let_go' })
        tracker.release(ref.uid)
        log.with(ctx, ref.uid).info('Offloaded instance')
        return { vmState: 'shelved_offloaded', ...OFF, host: null, availabilityZone: null }
      },
    }),

    unshelve_instance: ({ ctx, signal, limits }) => ({
      work: async (instance) => {
        const { ref } = instance
        const request = await conductor.buildRequestGet(ctx, ref)
        claimFor(tracker, instance, request.flavor, limits)
        await conductor.guestAssign(ctx, { instance: ref, step: 'take' })
        const guest = await driver.finishMigration(ctx, toGuestSpec(request), { powerOn: true, signal })
        log.with(ctx, ref.uid).info('Unshelved instance')
        return { vmState: 'active', ...running(guest), shelvedAt: null }
      },
      undo: async ({ ref, vmState }) => {
        if (vmState !== 'shelved_offloaded') return
        await driver.powerOff(ctx, ref, { timeoutMs: 0 })
        await conductor.guestAssign(ctx, { instance: ref, step: 'let_go' })
        tracker.release(ref.uid)
      },
    }),
  } as const satisfies Partial<Record<HostMethod, OperationMaker>>
}
