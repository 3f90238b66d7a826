import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { TaskState, VmState } from '../apis/v1alpha1/states.ts'
import { serviceContext } from '../common/context.ts'
import { InstancePowerOffFailure, InstancePowerOnFailure } from '../common/errors.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { type Agent, ComputeWorld } from '../testing/compute-world.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import { settle } from '../testing/fake-clock.ts'
import { until } from '../testing/until.ts'
import type { FakeGuest } from '../virt/fake/hypervisor.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const ctx = makeContext({ requestId: REQUEST })
const own = serviceContext('req-own')
const WEB = { namespace: 'default', name: 'web' }

let kube: EmbeddedKube
let world: ComputeWorld
let agent: Agent

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await Promise.all([kube.putFlavor(FLAVOR), kube.putImage({ name: 'cirros' })])
})
afterAll(() => kube?.close())
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

async function run(operation: Operation, instance: Instance): Promise<void> {
  const ref = refOfInstance(instance)
  const { manager } = agent
  switch (operation) {
    case 'stop':
      return manager.stopInstance(ctx, ref)
    case 'start':
      return manager.startInstance(ctx, ref)
    case 'delete':
      return manager.terminateInstance(ctx, ref)
  }
}

const guest = (): FakeGuest | undefined => world.hypervisor.find(WEB)

describe('an operation on an instance of this host', () => {
  it.each([
    {
      operation: 'stop',
      want: { vmState: 'stopped', status: 'SHUTOFF', powerState: 'SHUTDOWN', addresses: [] },
      step: 'compute_stop_instance',
      says: 'Shut off instance seconds=0',
    },
    {
      operation: 'start',
      want: { vmState: 'active', status: 'ACTIVE', powerState: 'RUNNING', addresses: [{}] },
      step: 'compute_start_instance',
      says: 'Started instance seconds=0',
    },
    {
      operation: 'delete',
      want: {
        vmState: 'deleted',
        status: 'DELETED',
        powerState: 'NOSTATE',
        terminatedAt: '2026-01-01T00:00:00.000Z',
      },
      step: 'compute_terminate_instance',
      says: 'Terminated instance',
    },
  ] as const)(
    '$operation: ends $want.vmState, with its record, saying so',
    async ({ operation, want, step, says }) => {
      const fault = { code: 500, message: 'of before', requestId: 'req-0', created: '2026-01-01T00:00:00Z' }
      const instance = await begin(operation, { fault })

      await run(operation, instance)

      const { status } = await kube.instance()
      expect(status).toMatchObject({ ...want, host: 'node-1' })
      expect(status).not.toHaveProperty('taskState')
      expect(status).not.toHaveProperty('fault')
      expect(guest()?.powerState ?? 'NOSTATE').toBe(want.powerState)
      expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(operation !== 'delete')
      expect((await kube.action(`web-${operation}-1f0c9a3e`)).status).toMatchObject({
        result: 'Success',
        events: [{ name: step, host: 'node-1', result: 'Success' }],
      })
      const about = `nova.compute.manager [${REQUEST} - default] [instance: ${instance.metadata.uid}]`
      expect(world.logs.at('INFO').map((line) => line.replace(/^.*INFO /, ''))).toEqual([`${about} ${says}`])
    },
  )

  it.each<{ operation: Operation; what: string; late: InstanceStatus }>(
    (['stop', 'start', 'delete'] as const).flatMap((operation) => {
      const { vmState, taskState } = OPERATIONS[operation]
      const status = { vmState, taskState, host: 'node-1', requestId: REQUEST }
      return [
        {
          operation,
          what: 'after its operation was over',
          late: { vmState, host: 'node-1', requestId: REQUEST },
        },
        { operation, what: 'of an operation before this one', late: { ...status, requestId: 'req-2' } },
        { operation, what: 'for an instance on another host by now', late: { ...status, host: 'node-2' } },
      ]
    }),
  )('$operation: is dropped when its message comes late, $what', async ({ operation, late }) => {
    const instance = await begin(operation)
    const after = await kube.setStatus('web', late)
    const guestBefore = guest()

    await run(operation, instance)

    expect(await kube.instance()).toEqual(after)
    expect(guest()).toBe(guestBefore)
    expect(world.logs.at('INFO').join()).toContain('Dropped a message that came late')
  })

  it.each(['stop', 'start', 'delete'] as const)(
    '%s: is nothing when the instance is gone',
    async (operation) => {
      const instance = await begin(operation)
      await kube.client.delete(INSTANCE, instance.metadata)
      await run(operation, instance)
      expect(world.logs.at('INFO').join()).toContain('Stopped the operation: something else came first')
    },
  )

  it.each([
    {
      operation: 'stop',
      method: 'powerOff',
      error: new InstancePowerOffFailure({ instance: 'i', reason: 'no' }),
    },
    {
      operation: 'start',
      method: 'powerOn',
      error: new InstancePowerOnFailure({ instance: 'i', reason: 'no' }),
    },
    { operation: 'delete', method: 'destroy', error: new Error('the disk is stuck') },
  ] as const)(
    '$operation: that fails changes nothing, and succeeds with the next delivery',
    async ({ operation, method, error }) => {
      const instance = await begin(operation)
      agent.driver.failNext(method, error)

      await expect(run(operation, instance)).rejects.toThrow(error)
      expect(await kube.instance()).toEqual(instance)

      await run(operation, instance)
      expect((await kube.instance()).status.taskState).toBeUndefined()
    },
  )

  it.each(['stop', 'start'] as const)(
    '%s: that was overtaken while the driver worked leaves the state alone',
    async (operation) => {
      const instance = await begin(operation)
      agent.driver.delay(operation === 'stop' ? 'powerOff' : 'powerOn', 5000)
      const running = run(operation, instance)
      await until('the driver is at it', () => world.clock.nextInMs === 5000)
      const after = await kube.setStatus('web', {
        vmState: 'active',
        taskState: 'deleting',
        host: 'node-1',
        requestId: 'req-2',
      })

      await world.clock.advance(5000)
      await running

      expect(await kube.instance()).toEqual(after)
    },
  )
})

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

    await agent.manager.terminateInstance(makeContext({ requestId: 'req-2' }), refOfInstance(instance))
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

  it.each<{ operation: Operation; want: VmState }>([
    { operation: 'stop', want: 'stopped' },
    { operation: 'start', want: 'active' },
    { operation: 'delete', want: 'deleted' },
  ])('takes up a $operation that was in flight, under its request', async ({ operation, want }) => {
    await begin(operation)
    await agent.manager.initHost(own)
    await until(`it is ${want}`, async () => (await kube.instance()).status.vmState === want)
    expect((await kube.instance()).status.requestId).toBe(REQUEST)
  })

  it.each<TaskState>(['scheduling', 'spawning'])(
    'has a build that was %s sent to it again by the scheduler',
    async (taskState) => {
      const status = {
        vmState: 'building',
        taskState,
        host: 'node-1',
        flavor: FLAVOR,
        requestId: REQUEST,
      } as const
      const instance = await kube.putInstance({ status })
      await agent.manager.initHost(own)
      await until('the scheduler has it', () => world.sentBack.length === 1)
      expect(world.sentBack[0]).toMatchObject({
        ctx: { requestId: REQUEST },
        args: { request: { instance: refOfInstance(instance), flavor: FLAVOR } },
      })
    },
  )

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

  it('warns of a guest that is gone, and does nothing about it', async () => {
    const instance = await put('active', undefined)
    await agent.manager.syncPowerStates(own)
    expect(await kube.instance()).toEqual(instance)
    expect(world.logs.at('WARNING').join()).toContain('the guest is gone and its instance is active')
  })

  it('leaves alone what is as it should be', async () => {
    const instance = await put('active', 'RUNNING')
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
    const instance = await begin('stop')
    await run('stop', instance)
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
    const instance = await begin('stop')
    agent.driver.delay('powerOff', 5000)
    const stopping = run('stop', instance)
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    const event = agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'SHUTDOWN' })
    await settle()
    await world.clock.advance(5000)
    await Promise.all([stopping, event])

    const { spec, status } = await kube.instance()
    expect([spec.powerState, status.vmState]).toEqual(['Running', 'stopped'])
  })

  it('is no concern for an instance that is gone, or on another host', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'stopped', host: 'node-2' } })
    putGuest(instance, 'RUNNING')
    await agent.manager.handleLifecycleEvent({ ...refOfInstance(instance), powerState: 'RUNNING' })
    await agent.manager.handleLifecycleEvent({ ...WEB, uid: 'gone', powerState: 'RUNNING' })
    expect(guest()?.powerState).toBe('RUNNING')
  })
})
