import { toTimestamp } from '../../common/clock.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import { InstanceNotReady } from '../../common/errors/instance-state.ts'
import { toGuestSpec } from '../guest-spec.ts'
import {
  type OperationDeps,
  type OperationMaker,
  type OperationOptions,
  shutdownTimeoutMs,
} from './operation.ts'
import { OFF, running } from './power.ts'

/** What changes the disk a guest runs from, or makes another of it: rescue, rebuild, snapshot. */
export function diskOperations(deps: OperationDeps, options: OperationOptions) {
  const { driver, conductor, clock, log } = deps
  return {
    rescue_instance: ({ ctx, signal }) => ({
      work: async ({ ref }) => {
        const disk = await conductor.diskGet(ctx, ref)
        const guest = await driver.rescue(ctx, ref, { disk, signal })
        log.with(ctx, ref.uid).info('Rescued instance')
        return { vmState: 'rescued', ...running(guest) }
      },
    }),

    unrescue_instance: ({ ctx, signal }) => ({
      work: async ({ ref }) => {
        const guest = await driver.unrescue(ctx, ref, { powerOn: true, signal })
        log.with(ctx, ref.uid).info('Unrescued instance')
        return { vmState: 'active', ...running(guest) }
      },
    }),

    rebuild_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref, vmState } = instance
        const request = await conductor.buildRequestGet(ctx, ref)
        // A move that failed may have left the guest with the host it came from.
        await conductor.guestAssign(ctx, { instance: ref, step: 'take' })
        await driver.destroy(ctx, ref)
        const guest = await driver.spawn(ctx, toGuestSpec(request), { signal })
        log.with(ctx, ref.uid).info('Rebuilt instance', { image: request.image.name })
        const launchedAt = toTimestamp(clock.now())
        if (vmState !== 'stopped') return { vmState: 'active', ...running(guest), launchedAt }
        await driver.powerOff(ctx, ref, { timeoutMs: shutdownTimeoutMs(instance, options), signal })
        return { vmState: 'stopped', ...OFF, launchedAt }
      },
    }),

    snapshot_instance: ({ ctx, signal }) => ({
      work: async ({ ref, action }) => {
        const name = action?.imageName
        if (name === undefined) {
          throw new InstanceNotReady({
            instance: ref.uid,
            reason: 'nothing says how its image is to be named',
          })
        }
        const source = await driver.snapshot(ctx, ref, { name, signal })
        await conductor.imageCreate(ctx, { instance: ref, source })
        log.with(ctx, ref.uid).info('Took an image of the instance', { image: name })
        return {}
      },
    }),
  } as const satisfies Partial<Record<HostMethod, OperationMaker>>
}
