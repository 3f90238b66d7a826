import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import {
  INSTANCE_ACTION,
  type InstanceAction,
  type InstanceActionSpec,
} from '../../apis/v1alpha1/instance-action.ts'
import { requestIdOf } from '../../common/ids.ts'
import { keyOf } from '../../kube/resource.ts'
import { ActionLeader } from '../../testing/action-leader.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { OPEN_REQUESTS } from './requests.ts'

const ACTIVE = { vmState: 'active', host: 'node-1' } as const

let world: ApiWorld
let leader: ActionLeader

useKube()
beforeEach(() => {
  world = new ApiWorld(kube)
  leader = new ActionLeader(world, kube)
})
afterEach(async () => {
  await leader.stop()
  await world.close()
})

const lead = (options?: { readonly trustsRequester?: boolean }): Promise<void> => leader.lead(options)
const succeed = (): Promise<void> => leader.succeed()
const ask = (spec: Partial<InstanceActionSpec>, name?: string): Promise<InstanceAction> =>
  leader.ask(spec, name)
const ended = (name?: string): Promise<InstanceAction> => leader.ended(name)

async function lockOf(): Promise<Pick<InstanceStatus, 'lockedBy' | 'lockedReason'>> {
  const { lockedBy, lockedReason } = (await kube.instance()).status
  return { ...(lockedBy && { lockedBy }), ...(lockedReason && { lockedReason }) }
}

async function replaceInstance(): Promise<Instance> {
  const { metadata } = await kube.instance()
  await kube.client.delete(INSTANCE, metadata)
  return kube.putInstance({ status: ACTIVE })
}

const told = (): string => world.logs.at('INFO').join('\n')

describe('an action that a user creates', () => {
  it('becomes a record as any other, and is done', async () => {
    const { metadata } = await kube.putInstance({ status: ACTIVE })
    await lead()
    const { metadata: asked } = await ask({ reason: 'a demo' })
    const requestId = requestIdOf(asked.uid ?? '', 1)

    const action = await ended()

    expect(action.spec).toEqual({
      action: 'lock',
      instance: 'web',
      reason: 'a demo',
      instanceUid: metadata.uid,
      requestId,
      user: '-',
      startTime: expect.stringMatching(/^2026-01-01T00:00:0.*Z$/),
    })
    expect(action.metadata.labels).toEqual({
      'compute.kilonova.dev/instance': 'web',
      'compute.kilonova.dev/request-id': requestId,
    })
    expect(action.status).toMatchObject({
      result: 'Success',
      events: [{ name: 'api_lock', host: 'nova-api', result: 'Success' }],
    })
    expect(await lockOf()).toEqual({ lockedBy: 'owner', lockedReason: 'a demo' })
    expect(await world.events()).toEqual([
      ['Normal', 'Locked', `Instance is locked by its owner: a demo (${requestId})`],
    ])
    const context = `[${requestId} - default] [instance: ${metadata.uid}]`
    expect(told()).toContain(`${context} Accepted lock of instance name=web action=mine`)
    expect(told()).toContain(`${context} Locked instance locked_by=owner`)
  })

  it.each([
    { trustsRequester: true, user: 'alice', recorded: 'alice' },
    { trustsRequester: true, user: undefined, recorded: '-' },
    { trustsRequester: false, user: 'alice', recorded: '-' },
  ])(
    'is in the name of $user, trusted $trustsRequester: $recorded',
    async ({ recorded, user, ...options }) => {
      await kube.putInstance({ status: ACTIVE })
      await lead(options)
      await ask({ ...(user && { user }) })

      expect((await ended()).spec.user).toBe(recorded)
      expect(told()).toContain(` ${recorded} default]`)
    },
  )

  it('is done when it came while nobody led, and in its turn', async () => {
    await kube.putInstance({ status: ACTIVE })
    await ask({ action: 'lock' }, 'second-by-name')
    await ask({ action: 'unlock' }, 'first-by-name')
    await lead()

    await ended('first-by-name')
    await ended('second-by-name')

    expect(await lockOf()).toEqual({})
    expect(told().indexOf('Accepted lock')).toBeLessThan(told().indexOf('Accepted unlock'))
  })

  it.each<{ what: string; before: InstanceStatus; spec: Partial<InstanceActionSpec>; says: string }>([
    { what: 'lock', before: {}, spec: {}, says: 'Instance is locked by its owner' },
    {
      what: 'lock that changes nothing',
      before: { lockedBy: 'admin', lockedReason: 'evidence' },
      spec: { reason: 'mine' },
      says: 'Instance is locked by an administrator: evidence',
    },
    {
      what: 'lock of an administrator',
      before: { lockedBy: 'owner' },
      spec: { override: true, reason: 'evidence' },
      says: 'Instance is locked by an administrator: evidence',
    },
    {
      what: 'unlock',
      before: { lockedBy: 'owner', lockedReason: 'mine' },
      spec: { action: 'unlock' },
      says: 'Instance is unlocked',
    },
    {
      what: 'unlock of what is not locked',
      before: {},
      spec: { action: 'unlock' },
      says: 'Instance is unlocked',
    },
  ])('tells on the instance how it is after it: $what', async ({ before, spec, says }) => {
    await kube.putInstance({ status: { ...ACTIVE, ...before } })
    await lead()
    await ask(spec)

    const { spec: record } = await ended()

    const reason = record.action === 'lock' ? 'Locked' : 'Unlocked'
    expect(await world.events()).toEqual([['Normal', reason, `${says} (${record.requestId})`]])
  })

  it('may be taken back before it was accepted', async () => {
    await kube.putInstance({ status: ACTIVE })
    await lead()
    kube.server.faults.refuse({ verb: 'patch', resource: 'instanceactions' }, 500)
    const asked = await ask({})
    await until('it was tried', () => world.logs.at('WARNING').length > 0)
    await kube.client.delete(INSTANCE_ACTION, asked.metadata)
    kube.server.faults.clear()
    await world.clock.advance(1_000)
    const deletionTimestamp = '2026-01-01T00:00:01Z'
    leader.informer.observe({ ...asked, metadata: { ...asked.metadata, deletionTimestamp } })

    await ask({ action: 'unlock' }, 'next')

    expect((await ended('next')).status?.result).toBe('Success')
    expect(await lockOf()).toEqual({})
    expect(world.logs.at('WARNING')).toHaveLength(1)
  })

  it('is left alone when it has ended', async () => {
    await kube.putInstance({ status: ACTIVE })
    await lead()
    await ask({})
    const before = await ended()
    await kube.setStatus('web', ACTIVE)

    await succeed()
    await ask({ action: 'unlock' }, 'next')
    await ended('next')

    expect(await kube.action('mine')).toEqual(before)
  })
})

describe('an action that is refused', () => {
  async function expectRefusal(message: string, reason: string): Promise<void> {
    const { status, spec } = await ended()
    expect(status).toMatchObject({ result: 'Error', message })
    expect(await world.events()).toEqual([['Warning', reason, `${message} (${spec.requestId})`]])
    expect(told()).toContain(`Refused ${spec.action} of instance reason="${message}"`)
  }

  it('because there is no such instance says so', async () => {
    await lead()
    await ask({})
    await expectRefusal('Instance web could not be found.', 'InstanceNotFound')
    expect((await kube.action('mine')).spec.instanceUid).toBeUndefined()
  })

  it('because it means an earlier instance of the name leaves the later one alone', async () => {
    await kube.putInstance({ status: ACTIVE })
    await lead()
    await ask({ instanceUid: 'earlier' })
    await expectRefusal('Instance earlier could not be found.', 'InstanceNotFound')
    expect(await lockOf()).toEqual({})
  })

  it('by nova.compute.api tells its sentence, on the instance and in the step', async () => {
    const { metadata } = await kube.putInstance({ status: { ...ACTIVE, lockedBy: 'admin' } })
    await lead()
    await ask({ action: 'unlock' })
    const message = `Policy doesn't allow os_compute_api:os-lock-server:unlock:unlock_override to be performed. Instance ${metadata.uid} was locked by an administrator, who unlocks it with override`
    await expectRefusal(message, 'PolicyNotAuthorized')
    expect((await kube.action('mine')).status?.events).toMatchObject([
      { name: 'api_unlock', result: 'Error', details: message },
    ])
  })
})

describe('an action that a leader left', () => {
  const FINDING = { verb: 'get', resource: 'instances' } as const
  const ACCEPTING = { verb: 'patch', resource: 'instanceactions', subresource: '' } as const
  const DOING = { verb: 'patch', resource: 'instances', subresource: 'status' } as const
  const ENDING = { verb: 'patch', resource: 'instanceactions', subresource: 'status' } as const

  it.each([
    { where: 'before it looked for the instance', at: FINDING, carriedOut: false },
    { where: 'before it was accepted', at: ACCEPTING, carriedOut: false },
    { where: 'when it was accepted', at: ACCEPTING, carriedOut: true },
    { where: 'before it was done', at: DOING, carriedOut: false },
    { where: 'when it was done', at: DOING, carriedOut: true },
    { where: 'before it was ended', at: ENDING, carriedOut: false },
    { where: 'when it was ended', at: ENDING, carriedOut: true },
  ])('$where is done by the next one, under the same request id', async ({ at, carriedOut }) => {
    const { metadata } = await kube.putInstance({ status: ACTIVE })
    await lead()
    if (carriedOut) kube.server.faults.loseAnswer(at)
    else kube.server.faults.cut(at)
    const { metadata: asked } = await ask({ reason: 'why' })
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)

    await succeed()

    const { spec, status } = await ended()
    expect(spec).toMatchObject({ instanceUid: metadata.uid, requestId: requestIdOf(asked.uid ?? '', 1) })
    expect(status).toMatchObject({ result: 'Success', events: [{ name: 'api_lock', result: 'Success' }] })
    expect(await lockOf()).toEqual({ lockedBy: 'owner', lockedReason: 'why' })
    expect((await world.events()).length).toBeLessThanOrEqual(1)
  })

  it.each(['lock', 'unlock'] as const)('goes before any other: %s', async (action) => {
    const other = action === 'lock' ? 'unlock' : 'lock'
    await kube.putInstance({ status: { ...ACTIVE, ...(action === 'unlock' && { lockedBy: 'owner' }) } })
    await ask({ action }, 'half-done')
    await ask({ action: other }, 'a-later-one')
    kube.server.faults.refuse(ENDING, 500)
    await lead()
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)

    await succeed()
    await ended('a-later-one')
    await ended('half-done')

    expect(await lockOf()).toEqual(other === 'lock' ? { lockedBy: 'owner' } : {})
  })

  it('does nothing to an instance that took the name of the one it was for', async () => {
    const { metadata } = await kube.putInstance({ status: ACTIVE })
    await lead()
    kube.server.faults.refuse(DOING, 500)
    await ask({})
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)
    await replaceInstance()

    await succeed()

    expect((await ended()).status).toMatchObject({
      result: 'Error',
      message: `Instance ${metadata.uid} could not be found.`,
    })
    expect(await lockOf()).toEqual({})
  })

  it('does nothing to an instance that came when there was none', async () => {
    await lead()
    kube.server.faults.refuse(ENDING, 500)
    await ask({})
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)
    await kube.putInstance({ status: ACTIVE })

    await succeed()

    expect((await ended()).status).toMatchObject({
      result: 'Error',
      message: 'Instance web could not be found.',
    })
    expect(await lockOf()).toEqual({})
  })
})

it('actions of one instance do not wait for those of another', async () => {
  await kube.putInstance({ name: 'db', status: ACTIVE })
  await kube.putInstance({ status: ACTIVE })
  await lead()
  kube.server.faults.refuse({ verb: 'patch', resource: 'instances', subresource: 'status', name: 'db' }, 500)
  await ask({ instance: 'db' }, 'stuck')
  await ask({}, 'mine')

  expect((await ended('mine')).status?.result).toBe('Success')
  expect((await kube.action('stuck')).status).toBeUndefined()
  expect(
    leader.informer.store.byIndex(OPEN_REQUESTS, keyOf({ namespace: 'default', name: 'db' })),
  ).toHaveLength(1)
})
