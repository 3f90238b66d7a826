import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { BuildAbortException, InstanceDeployFailure } from '../common/errors/guest.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { KubernetesUnavailable, ServiceStopping } from '../common/errors/unavailable.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext, makeRequest } from '../testing/builders.ts'
import { type Agent, ComputeWorld } from '../testing/compute-world.ts'
import { settle } from '../testing/fake-clock.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { FakeGuest } from '../virt/fake/hypervisor.ts'
import type { BuildAndRunArgs } from './rpcapi.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const LIMITS = { vcpus: 8, memoryMb: 16_384, diskGb: 100 }
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

const BOUND: InstanceStatus = {
  vmState: 'building',
  taskState: 'spawning',
  host: 'node-1',
  attempt: 1,
  flavor: FLAVOR,
  requestId: REQUEST,
}

const { taskState: _, ...IDLE } = BOUND

let world: ComputeWorld
let agent: Agent

useKube()
beforeEach(async () => {
  world = new ComputeWorld(kube)
  await world.start()
  agent = world.agent()
})
afterEach(() => world.close())

/** The message that has the instance built. */
function makeMessage(instance: Instance, fields: Partial<BuildAndRunArgs> = {}): BuildAndRunArgs {
  const { name } = instance.metadata
  return {
    request: makeRequest({ instance: refOfInstance(instance), hostname: name }),
    attempt: 1,
    limits: LIMITS,
    progress: { events: [{ name: 'scheduler_select_destinations', host: 'nova-scheduler', startTime: NOW }] },
    ...fields,
  }
}

async function build(instance: Instance, fields: Partial<BuildAndRunArgs> = {}): Promise<void> {
  await agent.manager.buildAndRunInstance(ctx, makeMessage(instance, fields))
}

async function bound(status: InstanceStatus = {}): Promise<Instance> {
  return world.putInstance(ctx, 'create', { status: { ...BOUND, ...status } })
}

function guest(): FakeGuest | undefined {
  return world.hypervisor.find({ namespace: 'default', name: 'web' })
}

const createAction = async (): Promise<object | undefined> =>
  (await kube.action('web-create-1f0c9a3e')).status
const deployFailure = (): Error =>
  new InstanceDeployFailure({ instance: 'i', host: 'node-1', reason: 'no KVM' })

describe('a build', () => {
  it('ends with a guest that runs and an instance that is active', async () => {
    const instance = await bound()

    await build(instance)

    expect((await kube.instance()).status).toMatchObject({
      vmState: 'active',
      status: 'ACTIVE',
      powerState: 'RUNNING',
      host: 'node-1',
      attempt: 1,
      launchedAt: NOW,
      addresses: guest()?.addresses,
    })
    expect((await kube.instance()).status.taskState).toBeUndefined()
    expect(guest()).toMatchObject({ uid: instance.metadata.uid, host: 'node-1', powerState: 'RUNNING' })
    expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(true)
    expect(await createAction()).toMatchObject({
      result: 'Success',
      events: [
        { name: 'scheduler_select_destinations' },
        { name: 'compute__do_build_and_run_instance', host: 'node-1', result: 'Success' },
      ],
    })
  })

  it('shows that it is spawning while the guest boots', async () => {
    const instance = await bound()
    agent.driver.delay('spawn', 5000)
    const building = build(instance)
    await until('it is spawning', async () => (await kube.instance()).status.taskState === 'spawning')
    expect((await kube.instance()).status.vmState).toBe('building')
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    await world.clock.advance(5000)
    await building
    expect((await kube.instance()).status.vmState).toBe('active')
  })

  it('takes away the fault of an attempt before it', async () => {
    const fault = { code: 500, message: 'no', requestId: REQUEST, created: NOW }
    await build(await bound({ fault }))
    expect((await kube.instance()).status.fault).toBeUndefined()
  })

  it('waits while as many builds run as may', async () => {
    agent = world.agent({ maxConcurrentBuilds: 1 })
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => world.putInstance(ctx, 'create', { name, status: BOUND })),
    )
    agent.driver.delay('spawn', 5000)
    const both = Promise.all([build(one!), build(two!)])
    await until('the first boots', () => world.clock.nextInMs === 5000)
    await settle()
    expect(world.hypervisor.find({ namespace: 'default', name: 'two' })).toBeUndefined()
    await world.clock.advance(5000)
    await until('the second boots', () => world.clock.nextInMs === 5000)
    await world.clock.advance(5000)
    await both
    expect((await kube.instance('two')).status.vmState).toBe('active')
  })
})

describe('a build that waits for its turn', () => {
  let one: Instance
  let two: Instance
  let building: Promise<void>

  beforeEach(async () => {
    agent = world.agent({ maxConcurrentBuilds: 1 })
    one = await world.putInstance(ctx, 'create', { name: 'one', status: BOUND })
    two = await world.putInstance(ctx, 'create', { name: 'two', status: BOUND })
    agent.driver.delay('spawn', 5000)
    building = build(one)
    await until('the first boots', () => world.clock.nextInMs === 5000)
  })

  it('does not keep a delete waiting: nothing is built, nothing is left', async () => {
    const waiting = build(two)
    await settle()
    await kube.setStatus('two', { ...BOUND, taskState: 'deleting', requestId: 'req-2' })

    await agent.manager.perform(makeContext({ requestId: 'req-2' }), 'terminate_instance', {
      instance: refOfInstance(two),
    })
    await waiting

    expect((await kube.instance('two')).status).toMatchObject({ vmState: 'deleted', powerState: 'NOSTATE' })
    expect((await kube.instance('one')).status.taskState).toBe('spawning')
    await world.clock.advance(5000)
    await building
    expect(world.hypervisor.guestsOf('node-1').map(({ name }) => name)).toEqual(['one'])
    expect(agent.tracker.usage().vcpus).toBe(1)
  })

  it('is in line once, however often its message is sent again', async () => {
    const waiting = build(two)
    await Promise.all([build(two), build(two), build(one)])
    expect(world.logs.at('INFO').join()).toContain(
      'Dropped a message whose work is under way or in line work="build req-1f0c9a3e-0000-5000-8000-000000000000 1"',
    )

    await world.clock.advance(5000)
    await building
    await until('the second boots', () => world.clock.nextInMs === 5000)
    await world.clock.advance(5000)
    await waiting
    expect((await kube.instance('two')).status.vmState).toBe('active')
  })

  it('leaves the line also where another piece of work on it waits before it', async () => {
    const earlier = build(two)
    const later = build(two, { attempt: 2 })
    await settle()
    await kube.setStatus('two', { ...BOUND, taskState: 'deleting', requestId: 'req-2' })

    await agent.manager.perform(makeContext({ requestId: 'req-2' }), 'terminate_instance', {
      instance: refOfInstance(two),
    })

    await Promise.all([earlier, later])
    expect((await kube.instance('two')).status.vmState).toBe('deleted')
    await world.clock.advance(5000)
    await building
  })
})

/** The instance is back with the scheduler, and nothing of it is left here. */
async function expectGivenBack(instance: Instance, details: string): Promise<void> {
  const { status } = await kube.instance()
  expect(status).toMatchObject({
    vmState: 'building',
    taskState: 'scheduling',
    attempt: 1,
    triedHosts: ['node-1'],
  })
  expect(status).not.toHaveProperty('host')
  expect(status).not.toHaveProperty('fault')
  expect(guest()).toBeUndefined()
  expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(false)
  await until('the scheduler has it', () => world.sentBack.length === 1)
  const failed = { name: 'compute__do_build_and_run_instance', host: 'node-1', result: 'Error', details }
  expect(world.sentBack).toMatchObject([
    {
      ctx: { requestId: REQUEST },
      args: { request: { instance: refOfInstance(instance) }, progress: { events: [{}, failed] } },
    },
  ])
  expect(await createAction()).toMatchObject({ events: [{}, failed] })
  expect(await createAction()).not.toHaveProperty('result')
}

/** The build is over for good, and the instance has no host. */
async function expectError(fault: object, host?: string): Promise<void> {
  const { status } = await kube.instance()
  expect(status).toMatchObject({
    vmState: 'error',
    powerState: 'NOSTATE',
    fault: { host: 'node-1', requestId: REQUEST, ...fault },
  })
  expect(status).not.toHaveProperty('taskState')
  expect(status.host).toBe(host)
  expect(world.sentBack).toEqual([])
  expect(await createAction()).toMatchObject({ result: 'Error', message: status.fault?.message })
}

describe('a build that fails', () => {
  it('because the host has no room after all goes back to the scheduler', async () => {
    const instance = await bound()
    await build(instance, { limits: { ...LIMITS, memoryMb: 511 } })
    await expectGivenBack(
      instance,
      'Insufficient compute resources on node-1: memoryMb: 512 asked, 511 of 511 free',
    )
  })

  it.each([
    {
      what: 'the driver cannot do it here',
      error: deployFailure(),
      details: 'Failed to deploy instance i on node-1: no KVM',
    },
    {
      what: 'of an error nobody thought of',
      error: new TypeError('x is undefined'),
      details: 'x is undefined',
    },
  ])('because $what is cleaned up and goes back to the scheduler', async ({ error, details }) => {
    const instance = await bound()
    agent.driver.failNext('spawn', error)
    await build(instance)
    await expectGivenBack(instance, details)
  })

  it('after the guest was made leaves no guest', async () => {
    const instance = await bound()
    world.hypervisor.holdBoot()
    const building = build(instance)
    await until('the guest is made', () => guest() !== undefined)
    world.hypervisor.remove({ namespace: 'default', name: 'web' })
    await building
    expect((await kube.instance()).status.triedHosts).toEqual(['node-1'])
    expect(guest()).toBeUndefined()
  })

  it('because no host could do it ends in error, without a host', async () => {
    const instance = await bound()
    agent.driver.failNext('spawn', new BuildAbortException({ instance: 'i', reason: 'the Secret is gone' }))
    await build(instance)
    await expectError({
      reason: 'BuildAbortException',
      message: 'Build of instance i aborted: the Secret is gone',
    })
    expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(false)
  })

  it('because its name belongs to a machine of somebody else ends in error and leaves that alone', async () => {
    world.hypervisor.putForeign({ namespace: 'default', name: 'web' })
    await build(await bound())
    await expectError({ code: 409, reason: 'InstanceExists' })
    expect(world.hypervisor.hasForeign({ namespace: 'default', name: 'web' })).toBe(true)
  })

  it('and cannot be cleaned up ends in error and keeps its host, whose delete removes what is left', async () => {
    const instance = await bound()
    agent.driver.failNext('spawn', deployFailure())
    agent.driver.failNext('destroy', new Error('the disk is stuck'))
    await build(instance)
    await expectError(
      {
        reason: 'BuildAbortException',
        message: `Build of instance ${instance.metadata.uid} aborted: could not clean up on node-1: the disk is stuck`,
      },
      'node-1',
    )
    expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(true)
  })

  it.each([
    { what: 'to spawn', method: 'spawn', first: undefined },
    { what: 'to clean up', method: 'destroy', first: deployFailure() },
  ] as const)('for now, $what, is left to the next delivery of its message', async ({ method, first }) => {
    const instance = await bound()
    if (first) agent.driver.failNext('spawn', first)
    agent.driver.failNext(method, new KubernetesUnavailable({ reason: 'sorry' }))

    await expect(build(instance)).rejects.toThrow(KubernetesUnavailable)
    expect((await kube.instance()).status).toMatchObject({ taskState: 'spawning', host: 'node-1' })

    await build(instance)
    expect((await kube.instance()).status).toMatchObject({ vmState: 'active', host: 'node-1' })
    expect(world.sentBack).toEqual([])
  })
})

describe('a build that is overtaken', () => {
  it('by a delete is given up while the guest boots, and the delete removes all', async () => {
    const instance = await bound()
    world.hypervisor.holdBoot()
    const building = build(instance)
    await until('the guest is made', () => guest() !== undefined)
    const deleting = makeContext({ requestId: 'req-2' })
    await kube.setStatus('web', { ...BOUND, taskState: 'deleting', requestId: 'req-2' })

    await agent.manager.perform(deleting, 'terminate_instance', { instance: refOfInstance(instance) })
    await building

    expect((await kube.instance()).status).toMatchObject({ vmState: 'deleted', powerState: 'NOSTATE' })
    expect(guest()).toBeUndefined()
    expect(agent.tracker.usage().vcpus).toBe(0)
    expect(world.sentBack).toEqual([])
  })

  it('by a delete before it began makes no guest', async () => {
    const instance = await bound({ taskState: 'deleting' })
    await build(instance)
    expect(guest()).toBeUndefined()
    expect(await kube.instance()).toEqual(instance)
  })

  it('by a delete that is over leaves nothing', async () => {
    const instance = await bound()
    world.hypervisor.define(refOfInstance(instance), 'node-1')
    await kube.client.delete(INSTANCE, instance.metadata)

    await build(instance)

    expect(guest()).toBeUndefined()
    expect(agent.tracker.holds(instance.metadata.uid ?? '')).toBe(false)
  })

  it('by its end in error, while the guest booted, leaves no guest', async () => {
    const instance = await bound()
    agent.driver.delay('spawn', 5000)
    const building = build(instance)
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    const error = await kube.setStatus('web', { ...IDLE, vmState: 'error' })

    await world.clock.advance(5000)
    await building

    expect(guest()).toBeUndefined()
    expect(await kube.instance()).toEqual(error)
  })

  it('by another host, while the guest booted, leaves no guest here', async () => {
    const instance = await bound()
    agent.driver.delay('spawn', 5000)
    const building = build(instance)
    await until('the driver is at it', () => world.clock.nextInMs === 5000)
    const elsewhere = await kube.setStatus('web', { ...BOUND, host: 'node-2', attempt: 2 })

    await world.clock.advance(5000)
    await building

    expect(guest()).toBeUndefined()
    expect(agent.tracker.usage().vcpus).toBe(0)
    expect(await kube.instance()).toEqual(elsewhere)
  })
})

describe('a message that comes late or twice', () => {
  it.each([new ServiceStopping({ service: 'nova-compute' }), new Error('something else')])(
    'leaves the guest of a build that is done alone when the agent is stopped over it: $name',
    async (reason) => {
      const instance = await bound()
      await build(instance)
      const stopping = new AbortController()
      const again = world.agent({ signal: stopping.signal })
      kube.server.faults.refuse({ resource: 'instances' }, 503)

      const late = again.manager.buildAndRunInstance(ctx, makeMessage(instance))
      const ended = expect(late).rejects.toThrow(reason.message)
      await until('it waits for the conductor', () => world.logs.at('WARNING').length > 0)
      stopping.abort(reason)
      await ended

      expect(guest()).toBeDefined()
    },
  )

  it('after the build succeeded leaves guest and instance as they are', async () => {
    const instance = await bound()
    await build(instance)
    const [before, guestBefore] = [await kube.instance(), guest()]

    await build(instance)

    expect(await kube.instance()).toEqual(before)
    expect(guest()).toBe(guestBefore)
    expect(agent.tracker.usage().vcpus).toBe(1)
  })

  it('at the same time builds one guest', async () => {
    const instance = await bound()
    await Promise.all([build(instance), build(instance)])
    expect((await kube.instance()).status).toMatchObject({ vmState: 'active', attempt: 1 })
    expect(world.hypervisor.guestsOf('node-1')).toHaveLength(1)
  })

  it('after the instance was shut off leaves it off', async () => {
    const instance = await bound()
    await build(instance)
    world.hypervisor.powerOff({ namespace: 'default', name: 'web' })
    const stopped = await kube.setStatus('web', { ...IDLE, vmState: 'stopped' })

    await build(instance)

    expect(await kube.instance()).toEqual(stopped)
    expect(guest()?.powerState).toBe('SHUTDOWN')
  })

  it.each([
    { what: 'builds', vmState: 'building', taskState: 'spawning' },
    { what: 'runs', vmState: 'active', taskState: undefined },
  ] as const)(
    'of an earlier attempt is dropped: what this host $what now is untouched',
    async ({ vmState, taskState }) => {
      const instance = await bound()
      await build(instance)
      const later = await kube.setStatus('web', {
        ...IDLE,
        attempt: 2,
        vmState,
        ...(taskState && { taskState }),
      })
      const guestBefore = guest()

      await build(instance, { attempt: 1 })

      expect(guest()).toBe(guestBefore)
      expect(agent.tracker.usage().vcpus).toBe(1)
      expect(await kube.instance()).toEqual(later)
    },
  )

  it('to a host that has given the instance back removes what a crash left there', async () => {
    const instance = await bound({ host: 'node-2', attempt: 2 })
    world.hypervisor.define(refOfInstance(instance), 'node-1')

    await build(instance)

    expect(guest()).toBeUndefined()
    expect(await kube.instance()).toEqual(instance)
  })

  it('does not touch the guest that another host has by now', async () => {
    const instance = await bound({ host: 'node-2', attempt: 2 })
    world.hypervisor.define(refOfInstance(instance), 'node-2')
    await build(instance)
    expect(guest()?.host).toBe('node-2')
  })

  it('goes on where a crashed agent stopped', async () => {
    const instance = await bound({ taskState: 'spawning' })
    world.hypervisor.define(refOfInstance(instance), 'node-1')
    await build(instance)
    expect((await kube.instance()).status.vmState).toBe('active')
    expect(world.hypervisor.guestsOf('node-1')).toHaveLength(1)
  })
})

it('says each step of a build once at INFO, under its request and instance', async () => {
  const instance = await bound()
  await build(instance)
  const about = `nova.compute.manager [${REQUEST} - default] [instance: ${instance.metadata.uid}]`
  expect(world.logs.at('INFO').map((line) => line.replace(/^.*INFO /, ''))).toEqual([
    `${about} Claim successful vcpus=1 memoryMb=512 attempt=1`,
    `${about} Built instance seconds=0`,
  ])
})

it('an instance that nobody knows is built nowhere', async () => {
  const instance = await bound()
  await kube.client.delete(INSTANCE, instance.metadata)
  await expect(agent.conductor.instanceGet(ctx, refOfInstance(instance))).rejects.toThrow(InstanceNotFound)
  await build(instance)
  expect(world.hypervisor.guestsOf('node-1')).toEqual([])
})
