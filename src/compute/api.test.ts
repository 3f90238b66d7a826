import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { FlavorNotFound } from '../common/errors/flavor-and-image.ts'
import { TaskTimedOut, UnexpectedTaskStateError } from '../common/errors/instance-state.ts'
import { isConflict } from '../kube/api-error.ts'
import { ApiWorld } from '../testing/api-world.ts'
import { makeContext } from '../testing/builders.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { FINALIZER } from './api.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const BEFORE = 'req-0bef0bef-0000-5000-8000-000000000000'
const ctx = makeContext({ requestId: REQUEST })

let world: ApiWorld

useKube(() => Promise.all([kube.putFlavor(), kube.putImage()]))
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
})
afterEach(() => world.close())

async function expectSent(...messages: string[]): Promise<void> {
  await until('the messages are there', () => world.sent.length >= messages.length)
  expect(world.sent).toEqual(messages)
}

describe('create', () => {
  it('gives the instance a finalizer and a record, and has it scheduled', async () => {
    const instance = await kube.putInstance({ finalizers: ['example.com/other'] })

    await world.api.create(ctx, instance)

    const { metadata, status } = await kube.instance()
    expect(metadata.finalizers).toEqual(['example.com/other', FINALIZER])
    expect(status).toMatchObject({ vmState: 'building', taskState: 'scheduling' })
    expect((await kube.action('web-create-1f0c9a3e')).spec).toMatchObject({
      action: 'create',
      instance: 'web',
    })
    expect(world.cache.informer.store.get('default/web')?.metadata).toEqual(metadata)
    await expectSent(`build_instances web ${REQUEST}`)
    expect(world.logs.at('INFO').join()).toContain(
      `[${REQUEST} - default] [instance: ${metadata.uid}] Accepted create of instance name=web flavor=m1.tiny image=cirros`,
    )
  })

  it('of an instance that changed meanwhile is left to the next look', async () => {
    const stale = await kube.putInstance()
    await kube.client.mergePatch(INSTANCE, stale.metadata, { spec: { metadata: { a: 'b' } } })
    await expect(world.api.create(ctx, stale)).rejects.toSatisfy(isConflict)
    expect(world.sent).toEqual([])
  })

  it('of an instance that can never be built says so', async () => {
    const instance = await kube.putInstance({ spec: { flavor: 'm9' } })
    await expect(world.api.create(ctx, instance)).rejects.toThrow(FlavorNotFound)
  })
})

describe('a delete', () => {
  it('of an instance that no host has sends no message', async () => {
    const instance = await kube.putInstance({ status: { vmState: 'error' } })
    await world.api.begin(ctx, instance, 'delete')
    expect((await kube.instance()).status.taskState).toBe('deleting')
    expect(world.rpc.broker.storedCasts()).toBe(0)
  })

  it('ends when the finalizer is taken off, and only ours', async () => {
    const instance = await kube.putInstance({ finalizers: ['example.com/other', FINALIZER] })
    await world.api.release(ctx, instance)
    expect((await kube.instance()).metadata.finalizers).toEqual(['example.com/other'])
  })
})

describe('a failure', () => {
  const error = new TaskTimedOut({ task: 'spawning', host: 'node-1', seconds: 1800 })
  const SPAWNING = {
    vmState: 'building',
    taskState: 'spawning',
    host: 'node-1',
    attempt: 1,
    requestId: REQUEST,
  } as const
  const failure = { error, update: { vmState: 'error', taskState: null } } as const

  it('ends the operation with fault, record, event and a line', async () => {
    const instance = await kube.putInstance({ status: SPAWNING })
    const ref = { namespace: 'default', name: 'web', uid: instance.metadata.uid ?? '' }
    await world.actions.begin(ctx, ref, 'create')

    await world.api.fail(ctx, instance, 'create', failure)

    const { message } = error
    expect((await kube.instance()).status).toMatchObject({
      vmState: 'error',
      fault: { code: 504, reason: 'TaskTimedOut', message, host: 'node-1', requestId: REQUEST },
      observedGeneration: 1,
    })
    expect((await kube.action('web-create-1f0c9a3e')).status).toMatchObject({ result: 'Error', message })
    expect(await world.events()).toEqual([['Warning', 'TaskTimedOut', `${message} (${REQUEST})`]])
    expect(world.logs.at('WARNING').join()).toContain('Operation failed action=create')
  })

  it.each<{ what: string; status: InstanceStatus }>([
    { what: 'has moved on', status: { vmState: 'active', host: 'node-1', requestId: REQUEST } },
    { what: 'is on the next host by now', status: { ...SPAWNING, host: 'node-2', attempt: 2 } },
  ])('of an instance that $what is not recorded', async ({ status }) => {
    const stale = await kube.putInstance({ status: SPAWNING })
    const after = await kube.setStatus('web', status)
    await expect(world.api.fail(ctx, stale, 'create', failure)).rejects.toThrow(UnexpectedTaskStateError)
    expect(await kube.instance()).toEqual(after)
    expect(await world.events()).toEqual([])
  })
})

it('a change that asks for nothing is noted', async () => {
  const instance = await kube.putInstance({
    status: { vmState: 'active', host: 'node-1', requestId: BEFORE },
  })
  await world.api.acknowledge(ctx, instance)
  expect((await kube.instance()).status).toMatchObject({
    requestId: REQUEST,
    observedGeneration: 1,
    vmState: 'active',
  })
})
