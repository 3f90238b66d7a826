import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../../apis/v1alpha1/instance-action.ts'
import { requestIdOf } from '../../common/ids.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { NO_PROGRESS } from '../../objects/action-progress.ts'
import { ActionLeader } from '../../testing/action-leader.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'

const ACTIVE = { vmState: 'active', host: 'node-1', requestId: 'req-0' } as const
const REBUILD = { action: 'rebuild', image: 'debian' } as const
const ACCEPTING = { verb: 'patch', resource: 'instanceactions', subresource: '' } as const
const ENDING = { verb: 'patch', resource: 'instanceactions', subresource: 'status' } as const
const DOING = { verb: 'patch', resource: 'instances', subresource: 'status' } as const

let world: ApiWorld
let leader: ActionLeader

useKube(() => Promise.all([kube.putFlavor(), kube.putImage(), kube.putImage({ name: 'debian' })]))
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
  world.tellHost('node-1')
  leader = new ActionLeader(world, kube)
})
afterEach(async () => {
  await leader.stop()
  await world.close()
})

/** The agent has done it: the state and the record are as it leaves them. */
async function finish(requestId: string): Promise<Instance> {
  await world.actions.end(
    { namespace: 'default', name: 'mine' },
    { result: 'Success', progress: NO_PROGRESS },
  )
  const { action } = (await kube.instance()).status
  return kube.setStatus('web', { ...ACTIVE, requestId, ...(action && { action }) })
}

describe('an operation that a user asks for and that takes its time', () => {
  it('is begun, its action accepted, and left open to whoever ends it', async () => {
    const { metadata } = await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    const asked = await leader.ask(REBUILD)
    const requestId = requestIdOf(asked.metadata.uid ?? '', 1)

    const { spec, status } = await leader.accepted()

    expect(spec).toMatchObject({ ...REBUILD, instanceUid: metadata.uid, requestId, user: '-' })
    expect(spec.startTime).toBeDefined()
    expect(status).toBeUndefined()
    expect((await kube.instance()).status).toMatchObject({
      vmState: 'active',
      taskState: 'rebuilding',
      status: 'REBUILD',
      requestId,
      image: 'debian',
      action: { name: 'mine', operation: 'rebuild', image: 'debian' },
    })
    expect((await kube.instance()).spec.image).toBe('debian')
    await until('it is sent', () => world.sent.length > 0)
    expect(world.sent).toEqual([`rebuild_instance web ${requestId}`])
    expect(await kube.actions()).toHaveLength(1)
  })

  it('keeps any other out while it is in flight, which is told so', async () => {
    const { metadata } = await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    await leader.ask(REBUILD, 'first')
    await leader.accepted('first')
    await leader.ask({ action: 'reboot', type: 'Soft' }, 'second')

    const { status } = await leader.ended('second')

    const message = `Cannot 'reboot' instance ${metadata.uid} while it is in task_state rebuilding`
    expect(status).toMatchObject({ result: 'Error', message })
    expect((await kube.action('first')).status).toBeUndefined()
    expect((await kube.instance()).status).toMatchObject({
      taskState: 'rebuilding',
      action: { name: 'first' },
    })
  })

  it('wins when two are asked for at once, and the other is told', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.ask(REBUILD, 'a')
    await leader.ask({ action: 'rescue' }, 'b')
    await leader.lead()
    await leader.accepted('a')
    await leader.ended('b')
    expect((await kube.action('a')).status).toBeUndefined()
    expect((await kube.action('b')).status?.result).toBe('Error')
    expect((await kube.instance()).status.taskState).toBe('rebuilding')
  })

  it('is refused by the lock', async () => {
    const { metadata } = await kube.putInstance({ status: { ...ACTIVE, lockedBy: 'owner' } })
    await leader.lead()
    await leader.ask({ action: 'rescue' })
    const { status } = await leader.ended()
    expect(status).toMatchObject({ result: 'Error', message: `Instance ${metadata.uid} is locked` })
  })

  it.each<{ what: string; spec: Partial<InstanceActionSpec>; status?: InstanceStatus; says: string }>([
    {
      what: 'what it needs is not there',
      spec: { action: 'rebuild', image: 'none' },
      says: 'Image none could not be found.',
    },
    {
      what: 'its host is where it is to go',
      spec: { action: 'migrate', host: 'node-1' },
      says: 'that is the host it is on.',
    },
    {
      what: 'its host is up',
      spec: { action: 'evacuate' },
      says: 'Compute service of node-1 is still in use',
    },
    {
      what: 'it has no host',
      spec: { action: 'shelve' },
      status: { vmState: 'shelved_offloaded' },
      says: 'it has no host, so there is nothing to shelve',
    },
    {
      what: 'its state is another',
      spec: { action: 'confirmResize' },
      says: "Cannot 'confirmResize' instance",
    },
  ])('is refused when $what, and changes nothing', async ({ spec, status = ACTIVE, says }) => {
    const instance = await kube.putInstance({ status })
    await leader.lead()
    await leader.ask(spec)

    const action = await leader.ended()

    expect(action.status?.result).toBe('Error')
    expect(action.status?.message).toContain(says)
    expect(action.spec).toMatchObject({ instanceUid: instance.metadata.uid, requestId: expect.any(String) })
    expect(await kube.instance()).toEqual(instance)
    expect(world.sent).toEqual([])
  })

  it.each<{ what: string; spec: Partial<InstanceActionSpec>; says: string }>([
    { what: 'is not there', spec: { instance: 'nobody' }, says: 'Instance nobody could not be found.' },
    {
      what: 'is an earlier one',
      spec: { instanceUid: 'earlier' },
      says: 'Instance earlier could not be found.',
    },
  ])('is refused when the instance $what', async ({ spec, says }) => {
    const instance = await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    await leader.ask({ ...REBUILD, ...spec })
    expect((await leader.ended()).status).toMatchObject({ result: 'Error', message: says })
    expect(await kube.instance()).toEqual(instance)
  })

  it('is given up for an instance that is deleted while it is about to begin', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    kube.server.faults.refuse(DOING, 500)
    await leader.ask(REBUILD)
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)
    const { metadata } = await kube.instance()
    await kube.client.delete(INSTANCE, metadata)
    kube.server.faults.clear()

    expect((await leader.ended()).status).toMatchObject({
      result: 'Error',
      message: 'Instance web could not be found.',
    })
  })
})

describe('an operation that a leader left', () => {
  it.each([
    { where: 'before it was begun', at: DOING, carriedOut: false },
    { where: 'when it was begun', at: DOING, carriedOut: true },
    { where: 'before it was accepted', at: ACCEPTING, carriedOut: false },
    { where: 'when it was accepted', at: ACCEPTING, carriedOut: true },
  ])('$where is begun once, under the same request', async ({ at, carriedOut }) => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    if (carriedOut) kube.server.faults.loseAnswer(at)
    else kube.server.faults.cut(at)
    const { metadata } = await leader.ask(REBUILD)
    const requestId = requestIdOf(metadata.uid ?? '', 1)
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)

    await leader.succeed()

    expect((await leader.accepted()).spec.requestId).toBe(requestId)
    expect((await kube.instance()).status).toMatchObject({ taskState: 'rebuilding', requestId })
    expect((await kube.action('mine')).status).toBeUndefined()
    const accepted = world.logs.at('INFO').filter((line) => line.includes('Accepted rebuild of instance'))
    expect(accepted.length).toBeLessThanOrEqual(1)
  })

  it.each([
    { where: 'before its refusal was written', at: ENDING, carriedOut: false },
    { where: 'when its refusal was written', at: ENDING, carriedOut: true },
    { where: 'before it was accepted', at: ACCEPTING, carriedOut: false },
    { where: 'when it was accepted', at: ACCEPTING, carriedOut: true },
  ])('$where is refused all the same, and says why', async ({ at, carriedOut }) => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    if (carriedOut) kube.server.faults.loseAnswer(at)
    else kube.server.faults.cut(at)
    await leader.ask({ action: 'rebuild', image: 'none' })
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)

    await leader.succeed()

    expect((await leader.ended()).status).toMatchObject({
      result: 'Error',
      message: 'Image none could not be found.',
    })
    expect((await leader.accepted()).spec.requestId).toBeDefined()
  })

  it('is not begun again when it was over before it was accepted, and bears its request', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    kube.server.faults.refuse(ACCEPTING, 500)
    const { metadata } = await leader.ask(REBUILD)
    const requestId = requestIdOf(metadata.uid ?? '', 1)
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)
    const after = await finish(requestId)

    await leader.succeed()

    const { spec, status } = await leader.accepted()
    expect(spec).toMatchObject({ requestId, user: '-', instanceUid: metadata.uid && after.metadata.uid })
    expect(status).toMatchObject({ result: 'Success' })
    expect((await kube.instance()).status).toEqual(after.status)
  })

  it('is not begun again either when another has followed it', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    kube.server.faults.refuse(ACCEPTING, 500)
    const { metadata } = await leader.ask(REBUILD)
    await until('the leader is stuck', () => world.logs.at('WARNING').length > 0)
    await finish(requestIdOf(metadata.uid ?? '', 1))
    const after = await kube.setStatus('web', { ...ACTIVE, requestId: 'req-later' })

    await leader.succeed()
    await leader.accepted()

    expect((await kube.instance()).status).toEqual(after.status)
    expect((await kube.action('mine')).status?.result).toBe('Success')
  })
})

describe('what nova-api does at once', () => {
  it('resets a state, and ends what was in flight', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    await leader.ask(REBUILD, 'stuck')
    await leader.accepted('stuck')
    await leader.ask({ action: 'resetState', state: 'error' })

    expect((await leader.ended()).status).toMatchObject({
      result: 'Success',
      events: [{ name: 'api_reset_state', host: 'nova-api', result: 'Success' }],
    })
    expect((await kube.action('stuck')).status).toMatchObject({
      result: 'Error',
      message: 'Overtaken by resetState',
    })
    expect((await kube.instance()).status).toMatchObject({ vmState: 'error' })
    expect((await kube.instance()).status).not.toHaveProperty('taskState')
  })

  it('gives the output of a console, in the record', async () => {
    await kube.putInstance({ status: ACTIVE })
    await leader.lead()
    await leader.ask({ action: 'getConsoleOutput', lines: 3 })
    expect((await leader.ended()).status).toMatchObject({
      result: 'Success',
      output: 'the last 3 lines on node-1',
    })
  })

  it('deletes by force, and its record stays to say so', async () => {
    await kube.putInstance({ status: { ...ACTIVE, taskState: 'powering-off' } })
    await leader.lead()
    await leader.ask({ action: 'forceDelete' })
    expect((await leader.ended()).status).toMatchObject({ result: 'Success' })
    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
  })
})
