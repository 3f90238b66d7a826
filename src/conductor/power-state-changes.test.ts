import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Instance, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { Forbidden } from '../common/errors/access.ts'
import { refOfInstance } from '../objects/build-request.ts'
import { makeContext } from '../testing/builders.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { ConductorRpcApi } from './rpcapi.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

let world: ConductorWorld
/** The conductor as the agent of node-1 has it. */
let conductor: ConductorRpcApi

useKube()

beforeEach(async () => {
  world = new ConductorWorld(kube)
  await world.start()
  conductor = world.agent('node-1')
})
afterEach(() => world.close())

describe('a guest that shut itself down', () => {
  const report = (instance: Instance) => ({
    instance: refOfInstance(instance),
    powerState: 'SHUTDOWN' as const,
  })

  it('has its instance asked to be off, as an operation of its own', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', host: 'node-1' } })

    await conductor.powerStateChanged(ctx, report(instance))

    const { spec, metadata, status } = await kube.instance()
    expect(spec.powerState).toBe('Shutdown')
    expect(metadata.generation).toBe(2)
    expect(status).toMatchObject({ vmState: 'active', powerState: 'SHUTDOWN', host: 'node-1' })
    expect(status).not.toHaveProperty('taskState')
  })

  it('has its instance asked to be off also where it is locked', async () => {
    const status = { vmState: 'active', powerState: 'RUNNING', host: 'node-1', lockedBy: 'admin' } as const
    const instance = await kube.putInstance({ status })

    await conductor.powerStateChanged(ctx, report(instance))

    const { spec, status: after } = await kube.instance()
    expect(spec.powerState).toBe('Shutdown')
    expect(after.lockedBy).toBe('admin')
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'stopped already', status: { vmState: 'stopped', host: 'node-1' } },
    {
      what: 'in the middle of an operation',
      status: { vmState: 'active', taskState: 'powering-off', host: 'node-1' },
    },
    { what: 'still being built', status: { vmState: 'building', taskState: 'spawning', host: 'node-1' } },
  ])('leaves an instance as it is that is $what', async ({ status }) => {
    const instance = await kube.putInstance({ status })
    await conductor.powerStateChanged(ctx, report(instance))
    expect(await kube.instance()).toEqual(instance)
  })

  it('lifts the fault of a stop that failed, so that it is begun again', async () => {
    const fault = { code: 500, message: 'refused', requestId: REQUEST, created: NOW }
    const status = { vmState: 'active', host: 'node-1', fault } as const
    const instance = await kube.putInstance({ spec: { powerState: 'Shutdown' }, status })

    await conductor.powerStateChanged(ctx, report(instance))

    expect((await kube.instance()).status).not.toHaveProperty('fault')
  })

  it.each(['SHUTDOWN', 'CRASHED'] as const)(
    'has its instance asked to be off also where it was paused and is %s now',
    async (powerState) => {
      const status = { vmState: 'paused', powerState: 'PAUSED', host: 'node-1' } as const
      const instance = await kube.putInstance({ spec: { powerState: 'Paused' }, status })

      await conductor.powerStateChanged(ctx, { ...report(instance), powerState })

      const { spec, status: after } = await kube.instance()
      expect(spec.powerState).toBe('Shutdown')
      expect(after).toMatchObject({ vmState: 'paused', powerState })
    },
  )

  it('is no concern of the agent of a host that its instance only goes to', async () => {
    const migration = {
      type: 'migration',
      status: 'preparing',
      oldVmState: 'active',
      sourceHost: 'node-1',
      destHost: 'node-2',
    } as const
    const instance = await kube.putInstance({ status: { vmState: 'active', host: 'node-1', migration } })
    await expect(world.agent('node-2').powerStateChanged(ctx, report(instance))).rejects.toThrow(Forbidden)
    expect(await kube.instance()).toEqual(instance)
  })

  it('is no concern of the agent of another host', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', host: 'node-1' } })
    await expect(world.agent('node-2').powerStateChanged(ctx, report(instance))).rejects.toThrow(
      `Not allowed: instance ${instance.metadata.uid} is on node-1, not on node-2`,
    )
    expect(await kube.instance()).toEqual(instance)
  })

  it('gives way to somebody who changed the instance meanwhile', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'active', host: 'node-1' } })
    kube.server.faults.refuse({ verb: 'patch', resource: 'instances', subresource: '' }, 409)
    await conductor.powerStateChanged(ctx, report(instance))
    expect((await kube.instance()).spec).toEqual(instance.spec)
  })
})

describe('a guest that is gone', () => {
  const report = (instance: Instance) => ({
    instance: refOfInstance(instance),
    powerState: 'NOSTATE' as const,
  })
  const ADDRESSES = [{ address: '10.0.0.7' }]

  it.each(['active', 'paused'] as const)('leaves its %s instance in error, and says so', async (vmState) => {
    const status = { vmState, powerState: 'RUNNING', host: 'node-1', addresses: ADDRESSES } as const
    const instance = await kube.putInstance({ status })
    const { uid } = instance.metadata

    await conductor.powerStateChanged(ctx, report(instance))

    const message = `The guest of instance ${uid} is gone from node-1: its VirtualMachine was removed. Rebuild the instance, or delete it.`
    const { spec, status: after } = await kube.instance()
    expect(after).toMatchObject({
      vmState: 'error',
      status: 'ERROR',
      powerState: 'NOSTATE',
      addresses: [],
      host: 'node-1',
      fault: {
        code: 500,
        reason: 'GuestVanished',
        message,
        host: 'node-1',
        requestId: REQUEST,
        created: NOW,
      },
    })
    // Nobody asked for it to be off.
    expect(spec.powerState).toBe('Running')
    expect(await world.eventsOf(instance)).toEqual([['Warning', 'GuestVanished', `${message} (${REQUEST})`]])
    expect(world.logs.at('ERROR').join()).toContain('The guest of an instance is gone')
  })

  it('is told also where the instance was to be off already', async () => {
    const status = { vmState: 'active', powerState: 'RUNNING', host: 'node-1' } as const
    const instance = await kube.putInstance({ spec: { powerState: 'Shutdown' }, status })
    await conductor.powerStateChanged(ctx, report(instance))
    expect((await kube.instance()).status).toMatchObject({ vmState: 'error', powerState: 'NOSTATE' })
  })

  it.each<{ what: string; status: InstanceStatus }>([
    {
      what: 'is being rebuilt',
      status: { vmState: 'active', taskState: 'rebuilding', host: 'node-1' },
    },
    { what: 'is in error already', status: { vmState: 'error', host: 'node-1' } },
    { what: 'is deleted', status: { vmState: 'deleted', host: 'node-1' } },
  ])('is no news of an instance that $what', async ({ status }) => {
    const instance = await kube.putInstance({ status })
    await conductor.powerStateChanged(ctx, report(instance))
    expect(await kube.instance()).toEqual(instance)
    expect(await world.eventsOf(instance)).toEqual([])
  })
})
