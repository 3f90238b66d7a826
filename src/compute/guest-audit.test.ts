import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { VmState } from '../apis/v1alpha1/states.ts'
import { serviceContext } from '../common/context.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { type Agent, ComputeWorld } from '../testing/compute-world.ts'
import { settle } from '../testing/fake-clock.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { FakeGuest } from '../virt/fake/hypervisor.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const ctx = makeContext({ requestId: REQUEST })
const own = serviceContext('req-own')
const WEB = { namespace: 'default', name: 'web' }

let world: ComputeWorld
let agent: Agent

useKube(() => Promise.all([kube.putFlavor(FLAVOR), kube.putImage({ name: 'cirros' })]))
beforeEach(async () => {
  world = new ComputeWorld(kube)
  await world.start()
  agent = world.agent()
})
afterEach(() => world.close())

const STOPPING = {
  vmState: 'active',
  taskState: 'powering-off',
  host: 'node-1',
  attempt: 1,
  flavor: FLAVOR,
  requestId: REQUEST,
} as const

/** An instance that is being stopped, with its guest. */
async function beginStop(): Promise<Instance> {
  const instance = await world.putInstance(ctx, 'stop', { status: STOPPING })
  putGuest(instance, 'RUNNING')
  return instance
}

async function stop(instance: Instance): Promise<void> {
  await agent.manager.perform(ctx, 'stop_instance', { instance: refOfInstance(instance) })
}

/** It may come back to this host. */
const MOVED: InstanceStatus = {
  vmState: 'resized',
  host: 'node-2',
  migration: {
    type: 'migration',
    status: 'finished',
    sourceHost: 'node-1',
    destHost: 'node-2',
    oldVmState: 'active',
  },
}

function putGuest(instance: Instance, power: 'RUNNING' | 'SHUTDOWN'): void {
  const ref = refOfInstance(instance)
  world.hypervisor.define(ref, 'node-1')
  world.hypervisor.boot(ref)
  if (power === 'SHUTDOWN') world.hypervisor.powerOff(ref)
}

const guest = (): FakeGuest | undefined => world.hypervisor.find(WEB)

describe('the comparison of guests with their instances', () => {
  async function put(
    vmState: VmState,
    power: 'RUNNING' | 'SHUTDOWN' | undefined,
    name = 'web',
  ): Promise<Instance> {
    const instance = await kube.putInstance({ name, status: { vmState, host: 'node-1', flavor: FLAVOR } })
    if (power) putGuest(instance, power)
    return instance
  }

  it('asks for an instance to be stopped whose guest shut itself down', async () => {
    await put('active', 'SHUTDOWN')
    await agent.manager.syncPowerStates(own)
    const { spec, status } = await kube.instance()
    expect(spec.powerState).toBe('Shutdown')
    expect(status.vmState).toBe('active')
  })

  it('forces a guest off that was started behind our back', async () => {
    await put('stopped', 'RUNNING')
    world.hypervisor.makeStubborn(WEB)
    await agent.manager.syncPowerStates(own)
    expect(guest()?.powerState).toBe('SHUTDOWN')
    expect(world.logs.at('WARNING').join()).toContain('Guest runs although its instance is stopped')
  })

  it('tells of a guest that is gone: its instance ends in error, and says so', async () => {
    const instance = await put('active', undefined)
    await agent.manager.syncPowerStates(own)
    expect((await kube.instance()).status).toMatchObject({
      vmState: 'error',
      status: 'ERROR',
      powerState: 'NOSTATE',
      host: 'node-1',
      fault: {
        code: 500,
        reason: 'GuestVanished',
        message: `The guest of instance ${instance.metadata.uid} is gone from node-1: its VirtualMachine was removed. Rebuild the instance, or delete it.`,
      },
    })
    expect(world.logs.at('WARNING').join()).toContain('Guest is gone although its instance is active')
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'is in flight', status: { vmState: 'active', taskState: 'rebuilding', host: 'node-1' } },
    { what: 'comes from here', status: MOVED },
    { what: 'is in error', status: { vmState: 'error', host: 'node-1' } },
  ])('says nothing of a guest that is not there when its instance $what', async ({ status }) => {
    const instance = await kube.putInstance({ status })
    await agent.manager.syncPowerStates(own)
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'NOSTATE' })
    expect(await kube.instance()).toEqual(instance)
    expect(world.logs.at('WARNING')).toEqual([])
  })

  it('follows the addresses of a guest that has moved, or was given others', async () => {
    const instance = await kube.putInstance({
      status: { vmState: 'active', host: 'node-1', addresses: [{ address: '10.9.9.9' }], requestId: REQUEST },
    })
    putGuest(instance, 'RUNNING')

    await agent.manager.syncPowerStates(own)

    const before = await kube.instance()
    expect(before.status.addresses).toEqual(guest()?.addresses)
    expect(before.status).toMatchObject({ vmState: 'active', requestId: REQUEST })
    await agent.manager.syncPowerStates(own)
    expect(await kube.instance()).toEqual(before)
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'is busy', status: { vmState: 'active', taskState: 'image_snapshot', host: 'node-1' } },
    { what: 'is resized', status: { vmState: 'resized', host: 'node-1' } },
  ])('leaves the addresses of an instance alone that $what', async ({ status }) => {
    const instance = await kube.putInstance({ status: { ...status, addresses: [{ address: '10.9.9.9' }] } })
    putGuest(instance, 'RUNNING')
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'RUNNING' })
    expect(await kube.instance()).toEqual(instance)
  })

  it('gives claims back of moves that did not come, and keeps those of what may', async () => {
    const moving = await kube.putInstance({ status: { ...MOVED, flavor: FLAVOR } })
    agent.tracker.adopt(moving.metadata.uid ?? '', FLAVOR)
    agent.tracker.adopt('never came', FLAVOR)

    await agent.manager.syncPowerStates(own)

    expect(agent.tracker.claimed()).toEqual([moving.metadata.uid])
    await kube.setStatus('web', { vmState: 'active', host: 'node-2', flavor: FLAVOR })
    await agent.manager.syncPowerStates(own)
    expect(agent.tracker.claimed()).toEqual([])
  })

  it('leaves alone what is as it should be', async () => {
    await put('active', 'RUNNING')
    const addresses = (guest()?.addresses ?? []).map(({ address }) => ({ address, network: 'fake' }))
    const instance = await kube.setStatus('web', { vmState: 'active', host: 'node-1', addresses })
    await agent.manager.syncPowerStates(own)
    expect(await kube.instance()).toEqual(instance)
    expect(world.logs.lines).toEqual([])
  })

  it('goes on with the others when one cannot be compared', async () => {
    await put('active', 'SHUTDOWN', 'a')
    await put('active', 'SHUTDOWN', 'b')
    agent.driver.failNext('getInfo', new Error('no answer'))

    await agent.manager.syncPowerStates(own)

    const powerStates = [
      (await kube.instance('a')).spec.powerState,
      (await kube.instance('b')).spec.powerState,
    ]
    expect(powerStates).toEqual(['Running', 'Shutdown'])
    expect(world.logs.at('WARNING').join()).toContain('no answer')
  })

  it('follows a guest at once that tells of its change', async () => {
    const instance = await put('active', 'SHUTDOWN')
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'SHUTDOWN' })
    expect((await kube.instance()).spec.powerState).toBe('Shutdown')
  })

  it('asks nobody about a change of its own doing, and about the next one it does', async () => {
    const instance = await beginStop()
    await stop(instance)
    let reads = 0
    kube.server.faults.refuse(({ verb, resource }) => {
      if (verb === 'get' && resource === 'instances') reads += 1
      return false
    }, 500)

    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'SHUTDOWN' })
    expect(reads).toBe(0)

    putGuest(instance, 'RUNNING')
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'RUNNING' })
    expect(guest()?.powerState).toBe('SHUTDOWN')
  })

  it('waits for an operation in flight, and then finds all as it should be', async () => {
    const instance = await beginStop()
    agent.driver.delay('powerOff', 5000)
    const stopping = stop(instance)
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    const event = agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'SHUTDOWN' })
    await settle()
    await world.clock.advance(5000)
    await Promise.all([stopping, event])

    const { spec, status } = await kube.instance()
    expect([spec.powerState, status.vmState]).toEqual(['Running', 'stopped'])
  })

  it.each<{ what: string; change: () => Promise<unknown> }>([
    {
      what: 'came after the listing',
      change: async () => kube.setStatus('web', { vmState: 'active', host: 'node-1', flavor: FLAVOR }),
    },
    { what: 'is of an instance that is gone', change: async () => kube.client.delete(INSTANCE, WEB) },
  ])('passes over a guest in the middle of an operation that $what', async ({ change }) => {
    const instance = await beginStop()
    agent.driver.delay('powerOff', 5000)
    const stopping = stop(instance)
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    await change()
    await put('active', 'SHUTDOWN', 'web-2')
    agent.tracker.adopt('never came', FLAVOR)

    await agent.manager.syncPowerStates(own)

    expect((await kube.instance('web-2')).spec.powerState).toBe('Shutdown')
    expect(agent.tracker.claimed()).not.toContain('never came')
    expect(guest()?.powerState).toBe('RUNNING')
    await world.clock.advance(5000)
    await stopping
  })

  it('is no concern for an instance that is gone, or on another host', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'stopped', host: 'node-2' } })
    putGuest(instance, 'RUNNING')
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'RUNNING' })
    await agent.manager.handleLifecycleEvent({ ...WEB, uid: 'gone', powerState: 'RUNNING' })
    expect(guest()?.powerState).toBe('RUNNING')
  })
})

it('is compared once at a time: a conductor that takes long is not asked more and more', async () => {
  const held = Promise.withResolvers<void>()
  const real = agent.conductor.instanceGetByHost.bind(agent.conductor)
  const ask = vi.spyOn(agent.conductor, 'instanceGetByHost').mockImplementation(async (...args) => {
    await held.promise
    return real(...args)
  })

  const rounds = [1, 2, 3].map(async () => agent.manager.syncPowerStates(own))
  expect(ask).toHaveBeenCalledTimes(1)

  held.resolve()
  await Promise.all(rounds)
  const asked = ask.mock.calls.length
  await agent.manager.syncPowerStates(own)
  expect(ask.mock.calls.length).toBe(2 * asked)
})
