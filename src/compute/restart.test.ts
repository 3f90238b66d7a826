import { describe, expect, it } from 'vitest'
import type { Instance, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { TASK_STATES, type TaskState } from '../apis/v1alpha1/states.ts'
import { serviceContext } from '../common/context.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { nextMessage } from '../objects/next-message.ts'
import { settle } from '../testing/fake-clock.ts'
import type { OperationCase } from '../testing/operation-cases/case.ts'
import { OPERATION_CASES, REQUEST } from '../testing/operation-cases/index.ts'
import { until } from '../testing/until.ts'
import { kube } from '../testing/use-kube.ts'
import { useOperationWorld, world } from '../testing/use-operation-world.ts'

const own = serviceContext('req-own')

useOperationWorld()

/** What an agent does by itself, and what the scheduler must say again, as it knows what the host can take in. */
const byItself = OPERATION_CASES.filter((one) => !isScheduled(one))
const scheduled = OPERATION_CASES.filter(isScheduled)
const BUILDS: readonly TaskState[] = ['scheduling', 'spawning']

function isScheduled({ before }: OperationCase): boolean {
  return nextMessage({ status: before as Instance['status'] })?.to === 'scheduler'
}

it('there is a case of every task_state', () => {
  const covered = new Set([...OPERATION_CASES.map(({ before }) => before.taskState), ...BUILDS])
  expect([...covered].toSorted()).toEqual(TASK_STATES.toSorted())
})

/** The agent of the case's host was killed and starts again. */
async function startAgain({ on }: OperationCase): Promise<void> {
  const agent = await world.restart(on)
  await agent.manager.initHost(own)
}

async function expectEnd({ name, after, cleared, guestAfter }: OperationCase): Promise<void> {
  await until(`${name} is done`, async () => {
    const { status } = await kube.instance()
    return (
      status.vmState === after.vmState &&
      status.taskState === after.taskState &&
      status.host === (after.host ?? (cleared.includes('host') ? undefined : 'node-1')) &&
      status.migration?.status === after.migration?.status
    )
  })
  const { status } = await kube.instance()
  expect(status).toMatchObject(after)
  for (const field of cleared) expect(status).not.toHaveProperty(field)
  expect(status.requestId).toBe(REQUEST)
  expect(world.guestIs()).toEqual(guestAfter)
}

describe.each(byItself)('an agent that was killed at $name ($before.taskState)', (one) => {
  it('before it came to its driver ends it when it starts again', async () => {
    await world.begin(one)
    await startAgain(one)
    await expectEnd(one)
    expect(world.compute.logs.at('INFO').join()).toContain(
      `Taking up what was in flight when the agent stopped task_state=${one.before.taskState}`,
    )
  })

  it('after its driver was done, and before that was saved, ends it when it starts again', async () => {
    const instance = await world.begin(one)
    await world.perform(one, instance)
    await kube.setStatus('web', instance.status)

    await startAgain(one)

    await expectEnd(one)
  })

  it.each(one.calls)('before its driver was asked to %s ends it when it starts again', async (call) => {
    const instance = await world.begin(one)
    const error = new KubernetesUnavailable({ reason: 'killed' })
    world.agent(one.on).driver.failNext(call, error)
    await expect(world.perform(one, instance)).rejects.toThrow('killed')

    await startAgain(one)

    await expectEnd(one)
  })

  it('has done nothing twice that comes by a message as well', async () => {
    const instance = await world.begin(one)
    await startAgain(one)
    await expectEnd(one)
    const calls = [...world.calls]
    const before = await kube.instance()
    await world.perform(one, instance)
    expect(await kube.instance()).toEqual(before)
    expect(world.calls).toEqual(calls)
  })
})

describe.each(scheduled)('an agent that was killed at $name ($before.taskState)', (one) => {
  it.each([
    { when: 'before it came to its driver', isDone: false },
    { when: 'after its driver was done', isDone: true },
  ])('$when has the scheduler tell it again', async ({ isDone }) => {
    const instance = await world.begin(one)
    if (isDone) await world.perform(one, instance)
    await kube.setStatus('web', instance.status)
    const [guest, { length: done }] = [world.guestIs(), world.calls]

    await startAgain(one)

    await until('the scheduler has it', () => world.compute.sentBack.length > 0)
    expect(world.compute.sentBack).toMatchObject([
      { ctx: { requestId: REQUEST }, args: { request: { instance: refOfInstance(instance) } } },
    ])
    await settle()
    expect((await kube.instance()).status).toEqual(instance.status)
    expect(world.guestIs()).toEqual(guest)
    expect(world.calls).toHaveLength(done)

    await world.perform(one, instance)
    await expectEnd(one)
  })
})

it.each(BUILDS)(
  'an agent that was killed at %s has the scheduler send the build again',
  async (taskState) => {
    const status = { vmState: 'building', taskState, host: 'node-1', requestId: REQUEST } as const
    const instance = await kube.putInstance({ status })
    await (await world.restart('node-1')).manager.initHost(own)
    await until('the scheduler has it', () => world.compute.sentBack.length === 1)
    expect(world.compute.sentBack).toMatchObject([
      { ctx: { requestId: REQUEST }, args: { request: { instance: refOfInstance(instance) } } },
    ])
  },
)

describe('an agent that starts again', () => {
  const HERE = { vmState: 'active', host: 'node-1', requestId: REQUEST } as const

  it('removes what was evacuated from it before it does anything else', async () => {
    const order: string[] = []
    const gone = await kube.putInstance({ name: 'evacuated', status: { vmState: 'stopped', host: 'node-2' } })
    world.putGuest(gone, { host: 'node-1', power: 'RUNNING' })
    const stays = await kube.putInstance({ name: 'stays', status: { ...HERE, taskState: 'powering-off' } })
    world.putGuest(stays, { host: 'node-1', power: 'RUNNING' })
    world.compute.hypervisor.onChange(({ before, after }) => {
      order.push(`${before?.name} ${after?.powerState ?? 'gone'}`)
    })

    await (await world.restart('node-1')).manager.initHost(own)

    await until('it is stopped', async () => (await kube.instance('stays')).status.vmState === 'stopped')
    expect(order[0]).toBe('evacuated gone')
    expect(order.at(-1)).toBe('stays SHUTDOWN')
  })

  it.each<{ what: string; status: InstanceStatus }>([
    {
      what: 'comes from it, and may come back',
      status: {
        ...HERE,
        vmState: 'resized',
        host: 'node-2',
        migration: {
          type: 'migration',
          status: 'finished',
          sourceHost: 'node-1',
          destHost: 'node-2',
          oldVmState: 'active',
        },
      },
    },
    { what: 'is no host’s', status: { vmState: 'shelved_offloaded', requestId: REQUEST } },
    {
      what: 'comes back from the shelf on another host: these are its disks',
      status: { ...HERE, vmState: 'shelved_offloaded', taskState: 'unshelving', host: 'node-2' },
    },
    {
      what: 'failed on its way to another host: its disks may be here still',
      status: { ...HERE, vmState: 'error', host: 'node-2' },
    },
  ])('keeps the guest of an instance that $what', async ({ status }) => {
    const instance = await kube.putInstance({ status })
    world.putGuest(instance, { host: 'node-1', power: 'SHUTDOWN' })
    await (await world.restart('node-1')).manager.initHost(own)
    expect(world.guestIs()).toEqual({ host: 'node-1', power: 'SHUTDOWN' })
  })

  it('books what is here, what comes and what may come back', async () => {
    const flavor = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
    const move = { type: 'migration', oldVmState: 'active' } as const
    const other = { ...HERE, flavor, host: 'node-2' }
    const statuses: Readonly<Record<string, InstanceStatus>> = {
      here: { ...HERE, flavor },
      comes: {
        ...other,
        migration: { ...move, status: 'accepted', sourceHost: 'node-2', destHost: 'node-1' },
      },
      left: {
        ...other,
        migration: { ...move, status: 'finished', sourceHost: 'node-1', destHost: 'node-2' },
      },
      elsewhere: other,
      deleted: { ...HERE, flavor, vmState: 'deleted' },
    }
    for (const [name, status] of Object.entries(statuses)) await kube.putInstance({ name, status })

    const { manager, tracker } = await world.restart('node-1')
    await manager.initHost(own)

    expect(tracker.usage().vcpus).toBe(3)
  })
})
