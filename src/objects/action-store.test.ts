import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../apis/v1alpha1/instance-action.ts'
import { isConflict, isRetryable } from '../kube/api-error.ts'
import { apiVersionOf } from '../kube/resource.ts'
import { makeContext, makeInstance, UID } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { isAccepted } from './accepted-action.ts'
import { type ActionProgress, NO_PROGRESS, StepRecorder } from './action-progress.ts'
import { ActionStore, actionRecordName, recordOf } from './action-store.ts'

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const INSTANCE = { namespace: 'default', name: 'web', uid: UID }
const NAME = 'web-stop-1f0c9a3e'
const RECORD = { namespace: 'default', name: NAME }
const ctx = makeContext({ requestId: REQUEST, user: 'alice' })

let clock: FakeClock
let store: ActionStore

useKube()
beforeEach(() => {
  clock = new FakeClock()
  store = new ActionStore({ client: kube.client, clock })
})
afterEach(async () => {
  kube.server.faults.clear()
  for (const { metadata } of await kube.actions()) await kube.client.delete(INSTANCE_ACTION, metadata)
})

function makeProgress(...names: string[]): ActionProgress {
  return names.reduce<ActionProgress>(
    (before, name) => new StepRecorder(clock, { name, host: 'node-1' }, before).succeeded(),
    NO_PROGRESS,
  )
}

it('a record is named after instance, operation and request', () => {
  expect(actionRecordName('web', 'stop', REQUEST)).toBe(NAME)
})

describe('where an operation is recorded', () => {
  const asked = { name: 'mine', operation: 'rescue' }

  it.each([
    {
      what: 'under a name of its own, where it was asked for on the instance',
      status: { requestId: REQUEST },
      want: NAME,
    },
    {
      what: 'in the InstanceAction that asked for it',
      status: { requestId: REQUEST, action: asked },
      want: 'mine',
    },
    {
      what: 'under its own name, where the InstanceAction was another’s',
      status: { requestId: 'req-2', action: asked },
      want: NAME,
    },
    { what: 'under its own name, of an instance that nothing was done to', status: {}, want: NAME },
  ])('$what', ({ status, want }) => {
    const ref = recordOf(makeInstance({ namespace: 'team-a', status }), REQUEST, 'stop')
    expect(ref).toEqual({ namespace: 'team-a', name: want })
  })
})

describe('the record of an operation', () => {
  it('begins with what was asked, when and by whom', async () => {
    await store.begin(ctx, INSTANCE, 'stop')

    const { metadata, spec, status } = await kube.action(NAME)
    expect(spec).toEqual({
      action: 'stop',
      instance: 'web',
      instanceUid: UID,
      requestId: REQUEST,
      user: 'alice',
      startTime: '2026-01-01T00:00:00.000Z',
    })
    expect(metadata.labels).toEqual({
      'compute.kilonova.dev/instance': 'web',
      'compute.kilonova.dev/request-id': REQUEST,
    })
    expect(status).toBeUndefined()
  })

  it('stays as it began when it is begun again', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    const first = await kube.action(NAME)
    clock.jump(1000)

    await store.begin(ctx, INSTANCE, 'stop')

    expect(await kube.actions()).toEqual([first])
  })

  it('shows how far the operation is, without an end', async () => {
    await store.begin(ctx, INSTANCE, 'stop')

    await store.note(RECORD, makeProgress('one'))

    const { status } = await kube.action(NAME)
    expect(status?.events).toMatchObject([{ name: 'one', host: 'node-1', result: 'Success' }])
    expect(status).not.toHaveProperty('finishTime')
  })

  it('ends with its result, its steps and its time', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    clock.jump(1500)

    await store.end(RECORD, { result: 'Success', progress: makeProgress('one', 'two') })

    expect((await kube.action(NAME)).status).toMatchObject({
      result: 'Success',
      finishTime: '2026-01-01T00:00:01.500Z',
      events: [{ name: 'one' }, { name: 'two' }],
    })
  })

  it('says why the operation failed, and no longer when it succeeds after all', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    await store.end(RECORD, { result: 'Error', message: 'no progress', progress: NO_PROGRESS })
    expect((await kube.action(NAME)).status).toMatchObject({ result: 'Error', message: 'no progress' })

    await store.end(RECORD, { result: 'Success', progress: NO_PROGRESS })

    const { status } = await kube.action(NAME)
    expect(status?.result).toBe('Success')
    expect(status).not.toHaveProperty('message')
  })

  it('keeps the steps it has when it is ended by somebody who knows of none', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    await store.note(RECORD, makeProgress('one'))
    await store.end(RECORD, { result: 'Error', message: 'no', progress: NO_PROGRESS })
    expect((await kube.action(NAME)).status).toMatchObject({ result: 'Error', events: [{ name: 'one' }] })
  })

  it('gives back what the guest said last, and no more than fits', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    const output = `${'x'.repeat(70_000)}login:`
    await store.end(RECORD, { result: 'Success', progress: NO_PROGRESS, output })

    const { status } = await kube.action(NAME)
    expect(status?.output).toHaveLength(65_536)
    expect(status?.output).toMatch(/x{9}login:$/)
  })

  it('that somebody removed is not made again', async () => {
    await store.end(RECORD, { result: 'Success', progress: NO_PROGRESS })
    await store.note(RECORD, NO_PROGRESS)
    expect(await kube.actions()).toEqual([])
  })

  it('takes the longest message and the most steps there can be', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    const steps = makeProgress(...Array.from({ length: 100 }, (_, n) => `step-${n}`))
    const failed = new StepRecorder(clock, { name: 'last', host: 'node-1' }, steps).failed(
      new Error('x'.repeat(9999)),
    )

    await store.end(RECORD, { result: 'Error', message: 'x'.repeat(9999), progress: failed })

    const { status } = await kube.action(NAME)
    expect(status?.events).toHaveLength(64)
    expect(status?.events?.at(-1)).toMatchObject({ name: 'last', result: 'Error', details: 'x'.repeat(1024) })
    expect(status?.message).toHaveLength(4096)
  })

  it('fails while the API server is in trouble', async () => {
    kube.server.faults.refuse({ resource: 'instanceactions' }, 503)
    await expect(store.begin(ctx, INSTANCE, 'stop')).rejects.toSatisfy(isRetryable)
    await expect(store.note(RECORD, NO_PROGRESS)).rejects.toSatisfy(isRetryable)
  })
})

describe('an operation that goes from service to service', () => {
  it('has the steps of those before, once, and those of this one after them', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    await store.note(RECORD, makeProgress('scheduler', 'prep'))
    clock.jump(1000)
    const mine = makeProgress('resize')

    const all = await store.withEarlier(RECORD, mine)
    expect(all.events.map(({ name }) => name)).toEqual(['scheduler', 'prep', 'resize'])

    await store.note(RECORD, all)
    expect((await store.withEarlier(RECORD, mine)).events).toEqual(all.events)
  })

  it('has a step twice that was taken twice', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    await store.note(RECORD, makeProgress('prep'))
    clock.jump(1000)
    const { events } = await store.withEarlier(RECORD, makeProgress('prep'))
    expect(events.map(({ name }) => name)).toEqual(['prep', 'prep'])
  })

  it('keeps why it went where it goes', async () => {
    await store.begin(ctx, INSTANCE, 'stop')
    const placement = { host: 'node-2', considered: 2, filters: [], weighed: [] }
    await store.note(RECORD, { ...makeProgress('scheduler'), placement })
    await store.note(RECORD, await store.withEarlier(RECORD, makeProgress('prep')))
    expect((await kube.action(NAME)).status?.placement).toEqual(placement)
  })

  it('has its own steps where its record was removed', async () => {
    const mine = makeProgress('resize')
    expect(await store.withEarlier(RECORD, mine)).toEqual(mine)
  })

  it('fails while its record cannot be read', async () => {
    kube.server.faults.refuse({ resource: 'instanceactions' }, 503)
    await expect(store.withEarlier(RECORD, NO_PROGRESS)).rejects.toSatisfy(isRetryable)
  })
})

it('a step keeps when it began and when it ended', () => {
  const step = new StepRecorder(clock, { name: 'spawn', host: 'node-1' }, makeProgress('before'))
  clock.jump(2000)
  expect(step.succeeded().events).toEqual([
    expect.objectContaining({ name: 'before' }),
    {
      name: 'spawn',
      host: 'node-1',
      startTime: '2026-01-01T00:00:00.000Z',
      finishTime: '2026-01-01T00:00:02.000Z',
      result: 'Success',
    },
  ])
})

describe('what a user asked for', () => {
  async function ask(spec: Partial<InstanceActionSpec> = {}): Promise<InstanceAction> {
    return kube.client.create(INSTANCE_ACTION, {
      apiVersion: apiVersionOf(INSTANCE_ACTION),
      kind: INSTANCE_ACTION.kind,
      metadata: { namespace: 'default', name: 'mine', labels: { team: 'a' } },
      spec: { action: 'lock', instance: 'web', ...spec },
    })
  }

  it('is accepted as a record like any other, under its own name', async () => {
    const accepted = await store.accept(ctx, await ask({ override: true }), INSTANCE)

    expect(await kube.action('mine')).toEqual(accepted)
    expect(accepted.metadata.labels).toEqual({
      team: 'a',
      'compute.kilonova.dev/instance': 'web',
      'compute.kilonova.dev/request-id': REQUEST,
    })
    expect(accepted.spec).toEqual({
      action: 'lock',
      instance: 'web',
      override: true,
      instanceUid: UID,
      requestId: REQUEST,
      user: 'alice',
      startTime: '2026-01-01T00:00:00.000Z',
    })
    expect(isAccepted(accepted)).toBe(true)
  })

  it('is accepted also where there is no instance', async () => {
    expect((await store.accept(ctx, await ask(), undefined)).spec).not.toHaveProperty('instanceUid')
  })

  it('is neither accepted nor ended where another has its name by now', async () => {
    const earlier = await ask()
    await kube.client.delete(INSTANCE_ACTION, earlier.metadata)
    const later = await ask()

    await expect(store.accept(ctx, earlier, INSTANCE)).rejects.toSatisfy(isConflict)
    const closed = store.close(earlier, { result: 'Success', progress: NO_PROGRESS })
    await expect(closed).rejects.toSatisfy(isConflict)

    expect(await kube.action('mine')).toEqual(later)
  })

  it('ends with its result, its steps and its time', async () => {
    const accepted = await store.accept(ctx, await ask(), INSTANCE)

    const ended = await store.close(accepted, {
      result: 'Error',
      message: 'no',
      progress: makeProgress('one'),
    })

    expect(await kube.action('mine')).toEqual(ended)
    expect(ended.status).toMatchObject({
      result: 'Error',
      message: 'no',
      finishTime: '2026-01-01T00:00:00.000Z',
      events: [{ name: 'one' }],
    })
  })
})
