import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { VmState } from '../apis/v1alpha1/states.ts'
import { serviceContext } from '../common/context.ts'
import { InstancePowerOffFailure } from '../common/errors/guest.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { type Agent, ComputeWorld } from '../testing/compute-world.ts'
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

const OPERATIONS = {
  stop: { vmState: 'active', taskState: 'powering-off', power: 'RUNNING' },
  start: { vmState: 'stopped', taskState: 'powering-on', power: 'SHUTDOWN' },
  delete: { vmState: 'active', taskState: 'deleting', power: 'RUNNING' },
} as const
type Operation = keyof typeof OPERATIONS

/** An instance on node-1, with its guest and its claim, at the beginning of an operation. */
async function begin(operation: Operation, status: InstanceStatus = {}): Promise<Instance> {
  const { vmState, taskState, power } = OPERATIONS[operation]
  const instance = await world.putInstance(ctx, operation, {
    status: { vmState, taskState, host: 'node-1', attempt: 1, flavor: FLAVOR, requestId: REQUEST, ...status },
  })
  putGuest(instance, power)
  agent.tracker.adopt(instance.metadata.uid ?? '', FLAVOR)
  return instance
}

function putGuest(instance: Instance, power: 'RUNNING' | 'SHUTDOWN'): void {
  const ref = refOfInstance(instance)
  world.hypervisor.define(ref, 'node-1')
  world.hypervisor.boot(ref)
  if (power === 'SHUTDOWN') world.hypervisor.powerOff(ref)
}

const METHOD = { stop: 'stop_instance', start: 'start_instance', delete: 'terminate_instance' } as const

async function run(operation: Operation, instance: Instance): Promise<void> {
  await agent.manager.perform(ctx, METHOD[operation], { instance: refOfInstance(instance) })
}

const guest = (): FakeGuest | undefined => world.hypervisor.find(WEB)

it('a start whose guest is gone ends at once, with a fault that says what to do', async () => {
  const instance = await begin('start')
  world.hypervisor.remove(WEB)

  await run('start', instance)

  const message = `The VirtualMachine of instance ${instance.metadata.uid} is gone from node-1, and the instance is of no use without it; delete the instance and create it anew`
  const { status } = await kube.instance()
  expect(status).toMatchObject({
    vmState: 'stopped',
    host: 'node-1',
    fault: { code: 404, reason: 'GuestNotFound', message, host: 'node-1', requestId: REQUEST },
  })
  expect(status).not.toHaveProperty('taskState')
  expect((await kube.action('web-start-1f0c9a3e')).status).toMatchObject({
    result: 'Error',
    message,
    events: [{ name: 'compute_start_instance', host: 'node-1', result: 'Error', details: message }],
  })
  expect(guest()).toBeUndefined()
})

it('an error for good of an operation that was overtaken is nobody’s fault', async () => {
  const instance = await begin('start')
  world.hypervisor.remove(WEB)
  agent.driver.delay('powerOn', 5000)
  const running = run('start', instance)
  await until('the driver is at it', () => world.clock.nextInMs === 5000)
  const after = await kube.setStatus('web', { vmState: 'active', host: 'node-1', requestId: 'req-2' })

  await world.clock.advance(5000)
  await running

  expect(await kube.instance()).toEqual(after)
})

describe('a guest that pays no heed', () => {
  it.each([
    { what: 'the agent’s own time', image: {}, ms: 60_000 },
    { what: 'the time its image gives it', image: { shutdownTimeoutSeconds: 5 }, ms: 5_000 },
  ])('is forced off after $what', async ({ image, ms }) => {
    const instance = await begin('stop', image)
    world.hypervisor.makeStubborn(WEB)
    const stopping = run('stop', instance)
    await until('the guest is asked', () => guest()?.isAskedToShutDown === true)

    await world.clock.advance(ms - 1)
    expect(guest()?.powerState).toBe('RUNNING')
    await world.clock.advance(1)
    await stopping

    expect((await kube.instance()).status.vmState).toBe('stopped')
  })

  it('is forced off at once where its image gives it no time', async () => {
    const instance = await begin('stop', { shutdownTimeoutSeconds: 0 })
    world.hypervisor.makeStubborn(WEB)
    await run('stop', instance)
    expect(guest()?.powerState).toBe('SHUTDOWN')
  })

  it('does not keep a delete waiting', async () => {
    const instance = await begin('stop')
    world.hypervisor.makeStubborn(WEB)
    const stopping = run('stop', instance)
    await until('the guest is asked', () => guest()?.isAskedToShutDown === true)
    const deleting = { vmState: 'active', taskState: 'deleting', host: 'node-1', requestId: 'req-2' } as const
    await kube.setStatus('web', deleting)

    await agent.manager.perform(makeContext({ requestId: 'req-2' }), 'terminate_instance', {
      instance: refOfInstance(instance),
    })
    await stopping

    expect(guest()).toBeUndefined()
    expect((await kube.instance()).status.vmState).toBe('deleted')
  })
})

describe('an agent that starts again', () => {
  beforeEach(() => {
    agent = world.agent()
  })

  it('counts what is on its host, also what is off or in error, and not what is deleted', async () => {
    const states: readonly VmState[] = ['building', 'active', 'stopped', 'error', 'deleted']
    for (const vmState of states) {
      await kube.putInstance({ name: vmState, status: { vmState, host: 'node-1', flavor: FLAVOR } })
    }
    await kube.putInstance({
      name: 'elsewhere',
      status: { vmState: 'active', host: 'node-2', flavor: FLAVOR },
    })

    await agent.manager.initHost(own)

    expect(agent.tracker.usage()).toEqual({ vcpus: 4, memoryMb: 2048, diskGb: 4 })
    expect(world.logs.at('INFO').join()).toContain(
      'Took over the instances of this host host=node-1 instances=5 inFlight=0',
    )
  })

  it('comes up although a stop takes its time, or fails', async () => {
    await begin('stop')
    world.hypervisor.makeStubborn(WEB)
    await agent.manager.initHost(own)
    await until('the guest is asked', () => guest()?.isAskedToShutDown === true)

    agent = world.agent()
    agent.driver.failNext('powerOff', new InstancePowerOffFailure({ instance: 'i', reason: 'no' }))
    await agent.manager.initHost(own)
    await until('it says so', () =>
      world.logs.at('WARNING').some((line) => line.includes('Could not take it up yet')),
    )
  })

  it.each([
    { what: 'is gone', remains: undefined },
    { what: 'is on another host', remains: { vmState: 'active', host: 'node-2' } as const },
  ])('removes a guest whose instance $what', async ({ remains }) => {
    const instance = await kube.putInstance({ status: remains ?? { vmState: 'active', host: 'node-1' } })
    putGuest(instance, 'RUNNING')
    if (!remains) await kube.client.delete(INSTANCE, instance.metadata)

    await agent.manager.initHost(own)

    expect(guest()).toBeUndefined()
    expect(world.logs.at('WARNING')).toHaveLength(1)
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'its own', status: { vmState: 'stopped', host: 'node-1' } },
    { what: 'about to be placed', status: { vmState: 'building', taskState: 'scheduling' } },
  ])('leaves a guest alone whose instance is $what', async ({ status }) => {
    putGuest(await kube.putInstance({ status }), 'RUNNING')
    await agent.manager.initHost(own)
    expect(guest()?.powerState).toBe('RUNNING')
  })

  it('comes up, and removes the others, although one unknown guest cannot be removed', async () => {
    for (const name of ['one', 'two'])
      world.hypervisor.define({ namespace: 'default', name, uid: name }, 'node-1')
    agent.driver.failNext('destroy', new Error('the disk is stuck'))

    await agent.manager.initHost(own)

    expect(world.hypervisor.guestsOf('node-1').map(({ name }) => name)).toEqual(['one'])
    expect(world.logs.at('WARNING').join()).toContain('the disk is stuck')
    await agent.manager.syncPowerStates(own)
    expect(world.hypervisor.guestsOf('node-1')).toEqual([])
  })
})
