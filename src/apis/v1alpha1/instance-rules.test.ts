import { describe, expect, it } from 'vitest'
import { isInvalid } from '../../kube/api-error.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { INSTANCE, type InstanceSpec, type InstanceStatus } from './instance.ts'
import { type OperationName, OPERATIONS, type Refusal, refusalOf } from './operations.ts'
import { type PowerState, TASK_STATES, type TaskState, VM_STATES, type VmState } from './states.ts'

type Task = TaskState | undefined
type Wanted = InstanceSpec['powerState']

const TASKS: readonly Task[] = [undefined, ...TASK_STATES]
const WANTED: readonly Wanted[] = ['Running', 'Shutdown', 'Paused', 'Suspended']

let count = 0

useKube()

/** What a patch of an instance's spec says at the prompt: field and sentence of each complaint. */
async function complaints(
  instance: { readonly spec?: Partial<InstanceSpec>; readonly status: InstanceStatus },
  patch: Partial<InstanceSpec>,
): Promise<readonly string[]> {
  const name = `web-${++count}`
  const { spec, status } = instance
  await kube.putInstance({ name, ...(spec && { spec }), status: { id: 'the-id', host: 'node-1', ...status } })
  try {
    const ref = { namespace: 'default', name }
    const patched = await kube.client.mergePatch(INSTANCE, ref, { spec: patch })
    expect(patched.spec).toMatchObject(patch)
    return []
  } catch (error) {
    if (!isInvalid(error)) throw error
    return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`)
  }
}

function stateOf(vmState: VmState, taskState: Task): InstanceStatus {
  return { vmState, ...(taskState && { taskState }) }
}

/** The operation that a power state asks for: running again what is paused or suspended is one of its own. */
function operationFor(to: Wanted, vm: VmState): OperationName {
  if (to === 'Shutdown') return 'stop'
  if (to === 'Paused') return 'pause'
  if (to === 'Suspended') return 'suspend'
  return vm === 'paused' ? 'unpause' : vm === 'suspended' ? 'resume' : 'start'
}

const THERE: Readonly<Record<Wanted, VmState>> = {
  Running: 'active',
  Shutdown: 'stopped',
  Paused: 'paused',
  Suspended: 'suspended',
}

/**
 * As the table of operations says. Beside that, the state that an instance is in already may be asked for, so that a change
 * can be taken back; and an instance that is rebooted hard will run.
 */
function refusalFor(to: Wanted, vm: VmState, task: Task): Refusal | undefined {
  if (to === 'Running' && task === 'rebooting_hard') return undefined
  if (vm === THERE[to]) return task && { attr: 'task_state', state: task }
  return refusalOf(OPERATIONS[operationFor(to, vm)], vm, task)
}

describe.each(WANTED)('powerState %s', (to) => {
  const from = to === 'Running' ? 'Shutdown' : 'Running'

  it.each(VM_STATES)('asked for in vm_state %s is answered as the table of operations says', async (vm) => {
    const answers = await Promise.all(
      TASKS.map(async (task) => ({
        task,
        said: await complaints({ spec: { powerState: from }, status: stateOf(vm, task) }, { powerState: to }),
      })),
    )
    const wanted = TASKS.map((task) => {
      const refusal = refusalFor(to, vm, task)
      const sentence =
        refusal &&
        `Cannot '${operationFor(to, vm)}' instance the-id while it is in ${refusal.attr} ${refusal.state}`
      return { task, said: sentence ? [expect.stringMatching(`^spec.powerState: .*${sentence}$`)] : [] }
    })
    expect(answers).toEqual(wanted)
  })
})

describe('an instance that is asked to be off', () => {
  it.each<{ powerState: PowerState; vmState: VmState; says: string | undefined }>([
    { vmState: 'paused', powerState: 'SHUTDOWN', says: undefined },
    { vmState: 'paused', powerState: 'CRASHED', says: undefined },
    { vmState: 'paused', powerState: 'PAUSED', says: 'while it is in vm_state paused' },
    { vmState: 'suspended', powerState: 'SHUTDOWN', says: 'while it is in vm_state suspended' },
    { vmState: 'rescued', powerState: 'SHUTDOWN', says: 'while it is in vm_state rescued' },
  ])('may be so while $vmState with its guest $powerState: $says', async ({ vmState, powerState, says }) => {
    const said = await complaints({ status: { vmState, powerState } }, { powerState: 'Shutdown' })
    expect(said).toEqual(says === undefined ? [] : [expect.stringContaining(says)])
  })

  it('but is in error and has no host, has nothing to stop', async () => {
    await kube.putInstance({ name: 'homeless', status: { id: 'the-id', vmState: 'error' } })
    const ref = { namespace: 'default', name: 'homeless' }
    await expect(kube.client.mergePatch(INSTANCE, ref, { spec: { powerState: 'Shutdown' } })).rejects.toThrow(
      'Instance the-id is not ready: it has no host, so there is nothing to stop',
    )
  })

  it('is named by its name where the id is not written yet', async () => {
    await kube.putInstance({ name: 'nameless', status: { vmState: 'paused' } })
    const ref = { namespace: 'default', name: 'nameless' }
    await expect(kube.client.mergePatch(INSTANCE, ref, { spec: { powerState: 'Shutdown' } })).rejects.toThrow(
      "Cannot 'stop' instance nameless while it is in vm_state paused",
    )
  })
})

const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const BIG = { ...SMALL, name: 'm1.big' }

describe('another flavor', () => {
  it.each(VM_STATES)('in vm_state %s is a resize, as the table of operations says', async (vm) => {
    const answers = await Promise.all(
      TASKS.map(async (task) => ({
        task,
        said: await complaints({ status: { ...stateOf(vm, task), flavor: SMALL } }, { flavor: 'm1.big' }),
      })),
    )
    const wanted = TASKS.map((task) => {
      const refusal = refusalOf(OPERATIONS.resize, vm, task)
      const sentence =
        refusal && `Cannot 'resize' instance the-id while it is in ${refusal.attr} ${refusal.state}`
      return { task, said: sentence ? [expect.stringMatching(`^spec.flavor: .*${sentence}$`)] : [] }
    })
    expect(answers).toEqual(wanted)
  })

  const moving = { type: 'resize', status: 'finished', oldVmState: 'active' } as const

  it.each<{ what: string; status: InstanceStatus; spec: string; to: string; says: string | undefined }>([
    {
      what: 'the one it has, when the other could not be had',
      status: { vmState: 'error', flavor: SMALL },
      spec: 'm1.big',
      to: 'm1.tiny',
      says: undefined,
    },
    {
      what: 'the one it has, while it is being resized',
      status: { vmState: 'active', taskState: 'resize_prep', flavor: SMALL },
      spec: 'm1.big',
      to: 'm1.tiny',
      says: undefined,
    },
    {
      what: 'the one it goes back to',
      status: {
        vmState: 'resized',
        taskState: 'resize_reverting',
        flavor: BIG,
        migration: { ...moving, oldFlavor: SMALL },
      },
      spec: 'm1.big',
      to: 'm1.tiny',
      says: undefined,
    },
    {
      what: 'the one it had, before anybody reverts',
      status: {
        vmState: 'resized',
        flavor: BIG,
        migration: { ...moving, oldFlavor: SMALL },
      },
      spec: 'm1.big',
      to: 'm1.tiny',
      says: "Cannot 'resize' instance the-id while it is in vm_state resized",
    },
    {
      what: 'a third one, while it goes back',
      status: {
        vmState: 'resized',
        taskState: 'resize_reverting',
        flavor: BIG,
        migration: { ...moving, oldFlavor: SMALL },
      },
      spec: 'm1.big',
      to: 'm1.other',
      says: "Cannot 'resize' instance the-id while it is in vm_state resized",
    },
  ])('that is $what: $says', async ({ status, spec, to, says }) => {
    const said = await complaints({ spec: { flavor: spec }, status }, { flavor: to })
    expect(said).toEqual(says === undefined ? [] : [expect.stringContaining(says)])
  })
})

describe('another image', () => {
  const NO = "Cannot 'rebuild' instance the-id by a change of its image: create an InstanceAction"

  it.each(VM_STATES)('is no way to rebuild an instance in vm_state %s', async (vmState) => {
    expect(await complaints({ status: { vmState } }, { image: 'other' })).toEqual([
      expect.stringMatching(`^spec.image: .*${NO}`),
    ])
  })

  it.each([
    { what: 'that of its last rebuild', held: 'other', says: [] },
    { what: 'none that it was rebuilt with', held: 'third', says: [expect.stringContaining(NO)] },
  ])('is taken when it is $what', async ({ held, says }) => {
    const status = { vmState: 'active', taskState: 'rebuilding', image: held } as const
    expect(await complaints({ status }, { image: 'other' })).toEqual(says)
  })
})

describe('an instance that is locked', () => {
  const locked = { lockedBy: 'owner', flavor: SMALL } as const
  const moving = {
    type: 'resize',
    status: 'finished',
    oldVmState: 'active',
    oldFlavor: SMALL,
  } as const
  const LOCKED = 'Instance the-id is locked'

  it.each<{
    what: string
    spec?: Partial<InstanceSpec>
    status: InstanceStatus
    to: Partial<InstanceSpec>
    says: string | undefined
  }>([
    { what: 'to be paused', status: { vmState: 'active' }, to: { powerState: 'Paused' }, says: LOCKED },
    { what: 'to be suspended', status: { vmState: 'active' }, to: { powerState: 'Suspended' }, says: LOCKED },
    {
      what: 'to be unpaused',
      spec: { powerState: 'Paused' },
      status: { vmState: 'paused' },
      to: { powerState: 'Running' },
      says: LOCKED,
    },
    { what: 'to be resized', status: { vmState: 'active' }, to: { flavor: 'm1.big' }, says: LOCKED },
    {
      what: 'to keep its flavor',
      spec: { flavor: 'm1.big' },
      status: { vmState: 'error' },
      to: { flavor: 'm1.tiny' },
      says: undefined,
    },
    {
      what: 'to get its flavor back, when it was locked in the middle of a revert',
      spec: { flavor: 'm1.big' },
      status: {
        vmState: 'resized',
        taskState: 'resize_reverting',
        flavor: BIG,
        migration: moving,
      },
      to: { flavor: 'm1.tiny' },
      says: undefined,
    },
    {
      what: 'to run, when it was locked in the middle of a hard reboot',
      spec: { powerState: 'Shutdown' },
      status: { vmState: 'stopped', taskState: 'rebooting_hard' },
      to: { powerState: 'Running' },
      says: undefined,
    },
    {
      what: 'to follow its rebuild',
      status: { vmState: 'active', taskState: 'rebuilding', image: 'other' },
      to: { image: 'other' },
      says: undefined,
    },
  ])('and asked $what: $says', async ({ spec, status, to, says }) => {
    const said = await complaints({ ...(spec && { spec }), status: { ...locked, ...status } }, to)
    if (says === undefined) expect(said).toEqual([])
    else expect(said[0]).toContain(says)
  })
})
