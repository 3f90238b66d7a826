import type { InstanceView } from '../../conductor/rpcapi.ts'
import type { FlavorSize } from '../../objects/build-request.ts'
import { toTimestamp } from '../../common/clock.ts'
import type { InstanceUpdate } from '../../objects/instance-update.ts'
import type { HostMethod } from '../../objects/next-message.ts'
import { InstanceNotReady } from '../../common/errors/instance-state.ts'
import { toGuestSpec } from '../guest-spec.ts'
import type { ResourceTracker, Usage } from '../resource-tracker.ts'
import {
  type Call,
  type OperationDeps,
  type OperationMaker,
  type OperationOptions,
  shutdownTimeoutMs,
} from './operation.ts'
import { OFF, running } from './power.ts'

type Move = NonNullable<InstanceView['migration']>

/**
 * Tests that this host can take an instance, and books it. Without limits it was tested before: the agent has forgotten it, and
 * the instance still books here.
 * @throws ComputeResourcesUnavailable
 */
// oxlint-disable-next-line max-params -- who books what where, and how much there is
export function claimFor(
  tracker: ResourceTracker,
  { ref }: InstanceView,
  flavor: FlavorSize,
  limits: Usage | undefined,
): void {
  if (limits) tracker.claim(ref.uid, flavor, limits)
  else tracker.adopt(ref.uid, flavor)
}

/** From host to host, at rest and running, and what comes after. Each host does its part when it is its turn. */
export function movingOperations(deps: OperationDeps, options: OperationOptions) {
  const { driver, conductor, tracker, clock, log } = deps

  /** Books what is to come, and hands over to the host it comes from. */
  const claimsWhatComes =
    (taskState: 'resize_migrating' | 'migrating'): OperationMaker =>
    ({ ctx, limits }) => ({
      work: async (instance) => {
        const { flavor } = await conductor.buildRequestGet(ctx, instance.ref)
        claimFor(tracker, instance, flavor, limits)
        log.with(ctx, instance.ref.uid).info('Claim successful for an instance that is to come', flavor)
        return { taskState, migration: { status: 'running' } }
      },
    })

  /** Takes a guest over that is off, and has it as it was before it moved: running or off. */
  async function asBefore(
    { ctx, signal }: Call,
    instance: InstanceView,
    says: string,
  ): Promise<InstanceUpdate> {
    const { ref } = instance
    const powerOn = moveOf(instance).oldVmState === 'active'
    const request = await conductor.buildRequestGet(ctx, ref)
    claimFor(tracker, instance, request.flavor, undefined)
    await conductor.guestAssign(ctx, { instance: ref, step: 'take' })
    const guest = await driver.finishMigration(ctx, toGuestSpec(request), { powerOn, signal })
    log.with(ctx, ref.uid).info(says, { flavor: request.flavor.name, powerOn })
    return powerOn ? running(guest) : OFF
  }

  return {
    /** On the destination. */
    prep_resize: claimsWhatComes('resize_migrating'),

    /** On the source. */
    resize_instance: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { destHost } = moveOf(instance)
        await driver.powerOff(ctx, instance.ref, {
          timeoutMs: shutdownTimeoutMs(instance, options),
          signal,
        })
        log.with(ctx, instance.ref.uid).info('Shut off an instance that goes elsewhere', { to: destHost })
        return { taskState: 'resize_migrated', host: destHost, ...OFF }
      },
    }),

    /** On the destination, which is its host by now. */
    finish_resize: (call) => ({
      work: async (instance) => ({
        ...(await asBefore(call, instance, 'Instance has arrived')),
        vmState: 'resized',
        migration: { status: 'finished' },
        resizedAt: toTimestamp(clock.now()),
      }),
    }),

    /** On the source: what it kept for the way back goes. */
    confirm_resize: ({ ctx }) => ({
      work: async ({ ref, powerState }) => {
        await driver.destroy(ctx, ref)
        tracker.release(ref.uid)
        log.with(ctx, ref.uid).info('Resize is confirmed')
        // Nova goes by the power as well: a guest that went off meanwhile is stopped.
        const vmState = powerState === 'SHUTDOWN' ? 'stopped' : 'active'
        return { vmState, migration: null, resizedAt: null }
      },
      // Its migration is over all the same, and with it what is booked here.
      undo: async ({ ref }) => tracker.release(ref.uid),
    }),

    /** On the destination: it gives the instance back. */
    revert_resize: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref } = instance
        const { sourceHost } = moveOf(instance)
        await driver.powerOff(ctx, ref, { timeoutMs: shutdownTimeoutMs(instance, options), signal })
        log.with(ctx, ref.uid).info('Shut off an instance that goes back', { to: sourceHost })
        return { taskState: 'resize_reverting', host: sourceHost, ...OFF, migration: { status: 'reverting' } }
      },
    }),

    /** On the source, which is its host again. */
    finish_revert_resize: (call) => ({
      work: async (instance) => ({
        ...(await asBefore(call, instance, 'Instance is back')),
        vmState: moveOf(instance).oldVmState,
        migration: null,
        resizedAt: null,
      }),
    }),

    /** On the destination. */
    pre_live_migration: claimsWhatComes('migrating'),

    /** On the source. */
    live_migration: ({ ctx, signal }) => ({
      work: async (instance) => {
        const { ref } = instance
        const { destHost: to } = moveOf(instance)
        const startedAt = clock.now()
        await conductor.guestAssign(ctx, { instance: ref, step: 'allow' })
        await driver.liveMigrate(ctx, ref, { to, signal })
        await conductor.guestAssign(ctx, { instance: ref, step: 'hand_over' })
        tracker.release(ref.uid)
        log
          .with(ctx, ref.uid)
          .info('Instance has moved while it ran', { to, seconds: (clock.now() - startedAt) / 1000 })
        return { host: to, migration: null }
      },
      undo: ({ ref }) => conductor.guestAssign(ctx, { instance: ref, step: 'keep' }),
    }),
  } as const satisfies Partial<Record<HostMethod, OperationMaker>>
}

/** Evacuation: on the destination, for an instance whose host is down. */
export function evacuation(deps: OperationDeps, options: OperationOptions): OperationMaker {
  const { driver, conductor, tracker, log } = deps
  return ({ ctx, signal, limits }) => ({
    work: async (instance) => {
      const { ref } = instance
      const { sourceHost } = moveOf(instance)
      const request = await conductor.buildRequestGet(ctx, ref)
      claimFor(tracker, instance, request.flavor, limits)
      await conductor.guestAssign(ctx, { instance: ref, step: 'take' })
      await driver.finishMigration(ctx, toGuestSpec(request), { powerOn: false, signal })
      log.with(ctx, ref.uid).info('Evacuated instance', { from: sourceHost })
      return { vmState: 'stopped', ...OFF, host: options.host, migration: null }
    },
    undo: async ({ ref }) => tracker.release(ref.uid),
  })
}

/** Where an instance comes from and goes to: both are there once it is a host's turn. */
function moveOf({
  ref,
  migration,
}: InstanceView): Move & { readonly sourceHost: string; readonly destHost: string } {
  const { sourceHost, destHost } = migration ?? {}
  if (migration && sourceHost !== undefined && destHost !== undefined) {
    return { ...migration, sourceHost, destHost }
  }
  throw new InstanceNotReady({ instance: ref.uid, reason: 'nothing says where it comes from and goes to' })
}
