import { GuestOperationFailure } from '../../common/errors/guest.ts'
import type { InstanceUpdate } from '../../objects/instance-update.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import type { GuestInfo } from '../../virt/driver.ts'
import {
  type OperationDeps,
  type OperationMaker,
  type OperationOptions,
  shutdownTimeoutMs,
} from './operation.ts'

/** What a guest does that runs. */
export function running({ addresses }: GuestInfo): InstanceUpdate {
  return { powerState: 'RUNNING', addresses: [...addresses] }
}

/** What is left of a guest that is off. */
export const OFF = { powerState: 'SHUTDOWN', addresses: [] } as const satisfies InstanceUpdate

/** Stop, start, pause, suspend and reboot. */
export function powerOperations(deps: OperationDeps, options: OperationOptions) {
  const { driver, conductor, clock } = deps
  const log = deps.log
  const secondsSince = (startedAt: number): number => (clock.now() - startedAt) / 1000
  return {
    stop_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const startedAt = clock.now()
        const timeoutMs = shutdownTimeoutMs(instance, options)
        await driver.powerOff(ctx, instance.ref, { timeoutMs, signal })
        log.with(ctx, instance.ref.uid).info('Shut off instance', { seconds: secondsSince(startedAt) })
        return { vmState: 'stopped', ...OFF }
      },
    }),

    start_instance: ({ ctx, signal }) => ({
      work: async ({ ref }) => {
        const startedAt = clock.now()
        const guest = await driver.powerOn(ctx, ref, { signal })
        log.with(ctx, ref.uid).info('Started instance', { seconds: secondsSince(startedAt) })
        return { vmState: 'active', ...running(guest) }
      },
    }),

    pause_instance: ({ ctx }) => ({
      work: async ({ ref }) => {
        await driver.pause(ctx, ref)
        log.with(ctx, ref.uid).info('Paused instance')
        return { vmState: 'paused', powerState: 'PAUSED' }
      },
    }),

    unpause_instance: ({ ctx }) => ({
      work: async ({ ref }) => {
        await driver.unpause(ctx, ref)
        log.with(ctx, ref.uid).info('Unpaused instance')
        return { vmState: 'active', powerState: 'RUNNING' }
      },
    }),

    suspend_instance: ({ ctx }) => ({
      work: async ({ ref }) => {
        await driver.suspend(ctx, ref)
        log.with(ctx, ref.uid).info('Suspended instance')
        return { vmState: 'suspended', powerState: 'SUSPENDED' }
      },
    }),

    resume_instance: ({ ctx }) => ({
      work: async ({ ref }) => {
        await driver.resume(ctx, ref)
        log.with(ctx, ref.uid).info('Resumed instance')
        return { vmState: 'active', powerState: 'RUNNING' }
      },
    }),

    reboot_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref, taskState } = instance
        const startedAt = clock.now()
        const isHard = taskState === 'rebooting_hard'
        if (isHard) {
          // A move that failed may have left the guest with the host it came from.
          await conductor.guestAssign(ctx, { instance: ref, step: 'take' })
          const guest = await driver.hardReboot(ctx, ref, { signal })
          log.with(ctx, ref.uid).info('Rebooted instance', { type: 'hard', seconds: secondsSince(startedAt) })
          return { vmState: 'active', ...running(guest) }
        }
        await driver.softReboot(ctx, ref, { timeoutMs: shutdownTimeoutMs(instance, options), signal })
        log.with(ctx, ref.uid).info('Rebooted instance', { type: 'soft', seconds: secondsSince(startedAt) })
        return { powerState: 'RUNNING' }
      },
      // As in Nova, a guest that does not react is left as it is. A hard reboot is tried again.
      givesUp: ({ taskState }, error) => taskState === 'rebooting' && error instanceof GuestOperationFailure,
    }),
  } as const satisfies Partial<Record<HostMethod, OperationMaker>>
}
