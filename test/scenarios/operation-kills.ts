import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceSpec } from '../../src/apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../../src/apis/v1alpha1/instance-action.ts'
import type { TaskState, VmState } from '../../src/apis/v1alpha1/states.ts'
import { leave } from './audit.ts'
import { makeFlavor, makeImage } from './catalogue.ts'
import { makeProject, type Project } from './instances.ts'
import { BREAKABLE, hostsOf, type MakeWorld, type World } from './world.ts'

/** An operation to be disturbed: how it is asked for, and where it must end all the same. */
interface Disturbed {
  readonly action: string
  readonly ask: Partial<InstanceSpec> | Omit<InstanceActionSpec, 'instance'>
  /** What it takes to get there. */
  readonly before?: readonly (Partial<InstanceSpec> | Omit<InstanceActionSpec, 'instance'>)[]
  readonly at: TaskState
  readonly end: VmState
}

const OPERATIONS: readonly Disturbed[] = [
  { action: 'pause', ask: { powerState: 'Paused' }, at: 'pausing', end: 'paused' },
  {
    action: 'unpause',
    before: [{ powerState: 'Paused' }],
    ask: { powerState: 'Running' },
    at: 'unpausing',
    end: 'active',
  },
  { action: 'reboot', ask: { action: 'reboot', type: 'Hard' }, at: 'rebooting_hard', end: 'active' },
  { action: 'rescue', ask: { action: 'rescue' }, at: 'rescuing', end: 'rescued' },
  {
    action: 'unrescue',
    before: [{ action: 'rescue' }],
    ask: { action: 'unrescue' },
    at: 'unrescuing',
    end: 'active',
  },
  { action: 'rebuild', ask: { action: 'rebuild', image: 'cirros-2' }, at: 'rebuilding', end: 'active' },
  { action: 'resize', ask: { flavor: 'm1.small' }, at: 'resize_prep', end: 'resized' },
  { action: 'resize', ask: { flavor: 'm1.small' }, at: 'resize_migrating', end: 'resized' },
  { action: 'resize', ask: { flavor: 'm1.small' }, at: 'resize_migrated', end: 'resized' },
  {
    action: 'confirmResize',
    before: [{ flavor: 'm1.small' }],
    ask: { action: 'confirmResize' },
    at: 'resize_confirming',
    end: 'active',
  },
  {
    action: 'revertResize',
    before: [{ flavor: 'm1.small' }],
    ask: { action: 'revertResize' },
    at: 'resize_reverting',
    end: 'active',
  },
  { action: 'live-migration', ask: { action: 'live-migration' }, at: 'migrating', end: 'active' },
  { action: 'shelve', ask: { action: 'shelve' }, at: 'shelving', end: 'shelved_offloaded' },
  {
    action: 'unshelve',
    before: [{ action: 'shelve' }],
    ask: { action: 'unshelve' },
    at: 'unshelving',
    end: 'active',
  },
  { action: 'softDelete', ask: { action: 'softDelete' }, at: 'soft-deleting', end: 'soft-delete' },
  {
    action: 'restore',
    before: [{ action: 'softDelete' }],
    ask: { action: 'restore' },
    at: 'restoring',
    end: 'active',
  },
]

const SERVICES: readonly string[] = ['nova-compute', 'nova-conductor', 'nova-api', 'nova-scheduler']

/** Services die in the middle of the operations: each ends as it should all the same. */
export function describeOperationKills(makeWorld: MakeWorld, services = SERVICES): void {
  describe('in the middle of an operation', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld(BREAKABLE)
      project = await makeProject(world)
      await makeImage(world, 'cirros-2', {})
      await makeFlavor(world, 'm1.small', { vcpus: 1, memoryMb: 2048, diskGb: 20 })
    })
    afterAll(() => leave(world))

    describe.each(services)('%s is killed and started again', (service) => {
      it.each(OPERATIONS)('$action at $at ends $end', async (operation) => {
        const name = `web-${++count}`
        await project.launch(name)
        for (const step of operation.before ?? []) {
          await ask(name, step)
          await project.until(
            name,
            ({ status }) => status.taskState === undefined && hasMoved(step, status.vmState),
          )
        }

        await ask(name, operation.ask)
        await project.until(
          name,
          ({ status }) => status.taskState === operation.at || status.vmState === operation.end,
        )
        // Whichever of them has its turn.
        const victims =
          service === 'nova-compute' ? hostsOf(world).map((host) => `nova-compute-${host}`) : [service]
        await Promise.all(victims.map((victim) => world.services.kill(victim)))
        await Promise.all(victims.map((victim) => world.services.start(victim)))

        await project.untilState(name, operation.end)
        expect((await project.actionEnd(name, operation.action)).status).toMatchObject({ result: 'Success' })
        await project.delete(name)
        await project.untilGone(name)
      })
    })

    async function ask(name: string, what: Disturbed['ask']): Promise<void> {
      if ('action' in what) await project.ask({ ...what, instance: name })
      else await project.patch(name, what)
    }
  })
}

/** Whether the step that was asked for has led anywhere yet. */
function hasMoved(step: Disturbed['ask'], vmState: VmState | undefined): boolean {
  if ('action' in step && step.action === 'shelve') return vmState === 'shelved_offloaded'
  return vmState !== 'active'
}

let count = 0
