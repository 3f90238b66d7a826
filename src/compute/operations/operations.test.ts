import { describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { bookingsOf } from '../../objects/bookings.ts'
import { actionRecordName } from '../../objects/action-store.ts'
import { HOST_METHODS } from '../rpcapi.ts'
import type { OperationCase } from '../../testing/operation-cases/case.ts'
import { actionOf, OPERATION_CASES, REQUEST } from '../../testing/operation-cases/index.ts'
import { until } from '../../testing/until.ts'
import { kube } from '../../testing/use-kube.ts'
import { useOperationWorld, world } from '../../testing/use-operation-world.ts'

useOperationWorld()

const FAULT = { code: 500, message: 'of before', requestId: 'req-0', created: '2026-01-01T00:00:00Z' }

/** What is on the instance that is different by now from what the case says. */
async function expectEnd({ after, cleared }: OperationCase): Promise<Instance> {
  const instance = await kube.instance()
  expect(instance.status).toMatchObject(after)
  for (const field of cleared) expect(instance.status).not.toHaveProperty(field)
  return instance
}

it('there is a case of every message', () => {
  const methods = new Set(OPERATION_CASES.map(({ method }) => method))
  expect([...methods].toSorted()).toEqual(Object.keys(HOST_METHODS).toSorted())
})

describe.each(OPERATION_CASES)('$name', (one) => {
  it('has the driver do its part, saves where that led, and says so', async () => {
    const instance = await world.begin(one, { fault: FAULT })

    await world.perform(one, instance)

    const { status, metadata } = await expectEnd(one)
    expect(world.calls).toEqual(one.calls)
    expect(world.guestIs()).toEqual(one.guestAfter)
    expect(status).not.toHaveProperty('fault')
    const about = `nova.compute.manager [${REQUEST} - default] [instance: ${metadata.uid}]`
    expect(world.compute.logs.at('INFO').map((line) => line.replace(/^.*INFO /, ''))).toEqual([
      `${about} ${one.says}`,
    ])
  })

  it('writes its step down, and ends the record when it is the last', async () => {
    const instance = await world.begin(one)

    await world.perform(one, instance)

    const { status } = await kube.action(actionRecordName('web', actionOf(one), REQUEST))
    const isOver = one.cleared.includes('taskState')
    expect(status).toMatchObject({
      events: [{ name: `compute_${one.method}`, host: one.on, result: 'Success' }],
      ...(isOver && { result: 'Success', finishTime: expect.any(String) }),
    })
    expect(status?.finishTime !== undefined).toBe(isOver)
  })

  it('tells the host whose turn it is then, and nobody else', async () => {
    const instance = await world.begin(one)
    await world.perform(one, instance)
    if (one.next) await until('it is told', () => world.told.length > 0)
    expect(world.told).toEqual(one.next ? [one.next] : [])
  })

  it('books on its host what the instance books there', async () => {
    const instance = await world.begin(one)
    await world.perform(one, instance)
    const books = bookingsOf(await kube.instance()).filter(({ host }) => host === one.on)
    const usage = world.agent(one.on).tracker.usage()
    expect(usage.vcpus).toBe(books[0]?.flavor.vcpus ?? 0)
    expect(usage.memoryMb).toBe(books[0]?.flavor.memoryMb ?? 0)
  })

  it('leads to the same end when it is done twice', async () => {
    const instance = await world.begin(one)
    await world.perform(one, instance)
    // The first one's end was never saved.
    await kube.setStatus('web', instance.status)

    await world.perform(one, instance)

    await expectEnd(one)
    expect(world.guestIs()).toEqual(one.guestAfter)
  })

  it('is nothing when the instance is gone', async () => {
    const instance = await world.begin(one)
    await kube.client.delete(INSTANCE, instance.metadata)
    await world.perform(one, instance)
    expect(world.calls).toEqual([])
    expect(world.compute.logs.at('INFO').join()).toContain('Stopped the operation: something else came first')
  })

  it.each<{ what: string; late: (status: InstanceStatus) => InstanceStatus }>([
    { what: 'its operation is over', late: ({ taskState: _task, ...idle }) => idle },
    { what: 'another operation has the instance', late: (status) => ({ ...status, requestId: 'req-2' }) },
    {
      what: 'another task is in flight by now',
      late: (status) => ({ ...status, taskState: otherTask(one) }),
    },
    { what: 'it is another host’s turn', late: elsewhere },
  ])('is dropped when its message comes late: $what', async ({ late }) => {
    const instance = await world.begin(one)
    const after = await kube.setStatus('web', late(instance.status))
    const guest = world.guest()

    await world.perform(one, instance)

    expect(await kube.instance()).toEqual(after)
    expect(world.guest()).toBe(guest)
    expect(world.calls).toEqual([])
    expect(world.compute.logs.at('INFO').join()).toContain('Dropped a message that came late')
  })
})

/** A task whose message is another one. */
function otherTask({ method }: OperationCase): 'powering-off' | 'powering-on' {
  return method === 'stop_instance' ? 'powering-on' : 'powering-off'
}

/** The same task, of an instance that has nothing to do with this host. */
function elsewhere(status: InstanceStatus): InstanceStatus {
  const { migration } = status
  return {
    ...status,
    host: 'node-3',
    ...(migration && { migration: { ...migration, sourceHost: 'node-4', destHost: 'node-5' } }),
  }
}
