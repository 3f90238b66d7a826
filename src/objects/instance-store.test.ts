import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance } from '../apis/v1alpha1/instance.ts'
import {
  InstanceNotFound,
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { isConflict, isRetryable } from '../kube/api-error.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { refOfInstance } from './build-request.ts'
import { InstanceStore } from './instance-store.ts'

let store: InstanceStore
let observed: Instance[]

useKube()
beforeEach(() => {
  observed = []
  store = new InstanceStore({
    client: kube.client,
    clock: new FakeClock(),
    observe: (one) => observed.push(one),
  })
})
afterEach(async () => {
  kube.server.faults.clear()
  const { items } = await kube.client.list(INSTANCE)
  await Promise.all(items.map(({ metadata }) => kube.client.delete(INSTANCE, metadata)))
})

const SPAWNING = { vmState: 'building', taskState: 'spawning', host: 'node-1' } as const

describe('saving an instance', () => {
  it('changes what the update says and nothing else, and tells of what it wrote', async () => {
    const instance = await kube.putInstance({ status: { ...SPAWNING, requestId: 'req-1' } })

    const saved = await store.save(
      instance,
      { vmState: 'active', taskState: null },
      { taskState: ['spawning'] },
    )

    const { status } = await kube.instance()
    expect(status).toMatchObject({ vmState: 'active', status: 'ACTIVE', host: 'node-1', requestId: 'req-1' })
    expect(status.taskState).toBeUndefined()
    expect(observed).toEqual([saved])
  })

  it('is repeated when somebody wrote first and it still is as expected; what they wrote stays', async () => {
    const stale = await kube.putInstance({ status: SPAWNING })
    await kube.setStatus('web', { ...SPAWNING, availabilityZone: 'west' })

    await store.save(stale, { vmState: 'active' }, { taskState: ['spawning'] })

    expect((await kube.instance()).status).toMatchObject({ vmState: 'active', availabilityZone: 'west' })
  })

  it('is given up when it is not as expected any more', async () => {
    const stale = await kube.putInstance({ status: SPAWNING })
    await kube.setStatus('web', { ...SPAWNING, taskState: 'deleting' })

    await expect(store.save(stale, { vmState: 'active' }, { taskState: ['spawning'] })).rejects.toThrow(
      UnexpectedDeletingTaskStateError,
    )
    expect((await kube.instance()).status.vmState).toBe('building')
  })

  it('writes nothing when it is not as expected to begin with', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })

    await expect(store.save(instance, { vmState: 'active' }, { host: 'node-2' })).rejects.toThrow(
      UnexpectedTaskStateError,
    )
    expect(await kube.instance()).toEqual(instance)
  })

  it('finds an instance gone that was deleted', async () => {
    const stale = await kube.putInstance({ status: SPAWNING })
    await kube.client.delete(INSTANCE, stale.metadata)

    await expect(store.save(stale, { vmState: 'active' }, {})).rejects.toThrow(InstanceNotFound)
  })

  it('never writes to a later instance of the same name', async () => {
    const stale = await kube.putInstance({ status: SPAWNING })
    await kube.client.delete(INSTANCE, stale.metadata)
    const later = await kube.putInstance({ status: SPAWNING })

    await expect(store.save(stale, { vmState: 'active' }, {})).rejects.toThrow(InstanceNotFound)
    expect(await kube.instance()).toEqual(later)
  })

  it('is made by exactly one of many who expect the same', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active' } })
    const task = (n: number): Promise<Instance> =>
      store.save(instance, { taskState: 'powering-off', requestId: `req-${n}` }, { taskState: [null] })

    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => task(n)))

    const winners = results.flatMap((result, n) => (result.status === 'fulfilled' ? [`req-${n}`] : []))
    expect(winners).toEqual([(await kube.instance()).status.requestId])
  })

  it('ends, when others never stop writing first', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    kube.server.faults.refuse({ verb: 'patch', resource: 'instances', subresource: 'status' }, 409)

    await expect(store.save(instance, { vmState: 'active' }, {})).rejects.toSatisfy(isConflict)
  })

  it('leaves the API server’s own trouble to its caller', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    kube.server.faults.refuse({ verb: 'patch', resource: 'instances', subresource: 'status' }, 500)

    await expect(store.save(instance, { vmState: 'active' }, {})).rejects.toSatisfy(isRetryable)
  })
})

describe('reading', () => {
  it('gives the instance of that uid', async () => {
    const instance = await kube.putInstance()
    expect(await store.get(refOfInstance(instance))).toEqual(instance)
  })

  it.each([
    { what: 'that is not there', name: 'none' },
    { what: 'whose name another one has', name: 'web' },
  ])('finds no instance $what', async ({ name }) => {
    await kube.putInstance()
    await expect(store.get({ namespace: 'default', name, uid: 'other' })).rejects.toThrow(InstanceNotFound)
  })

  it('lists those bound to a host', async () => {
    await kube.putInstance({ name: 'a', status: SPAWNING })
    await kube.putInstance({ name: 'b', status: { ...SPAWNING, host: 'node-2' } })
    await kube.putInstance({ name: 'c' })

    const names = (await store.listByHost('node-1')).map(({ metadata }) => metadata.name)
    expect(names).toEqual(['a'])
  })

  it('finds an instance by the name it bears now', async () => {
    const instance = await kube.putInstance({})
    const ref = { namespace: 'default', name: 'web' }
    expect(await store.find(ref)).toEqual(instance)
    expect(await store.find({ ...ref, name: 'nothing' })).toBeUndefined()
  })

  it('does not take an instance for gone because the API server does not serve its kind just now', async () => {
    const instance = await kube.putInstance()
    kube.server.faults.refuse({ resource: 'instances' }, 404)

    await expect(store.get(refOfInstance(instance))).rejects.toThrow(KubernetesUnavailable)
    await expect(store.find({ namespace: 'default', name: 'web' })).rejects.toThrow(KubernetesUnavailable)
    await expect(store.save(instance, { fault: null }, {})).rejects.toThrow(KubernetesUnavailable)
  })
})
