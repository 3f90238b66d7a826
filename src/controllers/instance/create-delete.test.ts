import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE, type Instance, type InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import { requestIdOf } from '../../common/ids.ts'
import { FINALIZER } from '../../compute/api.ts'
import { isConflict, isNotFound } from '../../kube/api-error.ts'
import { ApiWorld } from '../../testing/api-world.ts'
import { makeComputeNode } from '../../testing/builders.ts'
import { until } from '../../testing/until.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { Create } from './create.ts'
import { Delete } from './delete.ts'
import { RequestContexts } from './request.ts'
import { TaskWatch } from './task-watch.ts'

let world: ApiWorld
let create: Create
let remove: Delete

useKube(() =>
  Promise.all([kube.putFlavor(), kube.putImage(), kube.putImage({ name: 'huge', minRamMb: 99_999 })]),
)
beforeEach(async () => {
  world = new ApiWorld(kube)
  await world.start()
  const { api, sender, clock, logs, actions, hosts } = world
  world.tellHost('node-1')
  const contexts = new RequestContexts({ trustsRequester: false })
  const tasks = new TaskWatch(
    { api, sender, contexts, clock, log: logs.log },
    { redriveAfterMs: 30_000, taskTimeoutMs: () => 1 },
  )
  create = new Create({ api, tasks, contexts })
  remove = new Delete({ api, actions, hosts, clock, tasks, contexts })
})
afterEach(() => world.close())

const requestId = (instance: Instance, generation: number): string =>
  requestIdOf(instance.metadata.uid ?? '', generation)
const recordName = (action: string, id: string): string => `web-${action}-${id.slice(4, 12)}`

describe('Create', () => {
  it('accepts an instance that is new, under the request that created it', async () => {
    const instance = await kube.putInstance()

    expect(await create.reconcile(instance)).toEqual({ kind: 'after', ms: 30_000 })

    expect((await kube.instance()).metadata.finalizers).toEqual([FINALIZER])
    await until('it is sent', () => world.sent.length === 1)
    expect(world.sent).toEqual([`build_instances web ${requestId(instance, 1)}`])
  })

  it('accepts one that was changed before anybody saw it under the request that created it', async () => {
    const created = await kube.putInstance()
    const instance = await kube.client.mergePatch(INSTANCE, created.metadata, {
      spec: { metadata: { a: 'b' } },
    })

    await create.reconcile(instance)

    await until('it is sent', () => world.sent.length === 1)
    expect(world.sent).toEqual([`build_instances web ${requestId(instance, 1)}`])
    await kube.action(recordName('create', requestId(instance, 1)))
  })

  it.each([
    { what: 'has accepted already', finalizers: [FINALIZER], isDeleted: false },
    { what: 'finds already deleted', finalizers: ['example.com/other'], isDeleted: true },
  ])('has nothing to do for an instance that it $what', async ({ finalizers, isDeleted }) => {
    const instance = await kube.putInstance({ finalizers })
    if (isDeleted) await kube.client.delete(INSTANCE, instance.metadata)
    const before = await kube.instance()
    expect(await create.reconcile(before)).toBeUndefined()
    expect(await kube.instance()).toEqual(before)
  })

  it.each([
    {
      what: 'an unknown flavor',
      spec: { flavor: 'm9' },
      reason: 'FlavorNotFound',
      message: 'Flavor m9 could not be found.',
    },
    {
      what: 'an unknown image',
      spec: { image: 'none' },
      reason: 'ImageNotFound',
      message: 'Image none could not be found.',
    },
    {
      what: 'a flavor too small for the image',
      spec: { image: 'huge' },
      reason: 'FlavorMemoryTooSmall',
      message:
        "Flavor's memory is too small for requested image: flavor m1.tiny has 512 MiB, image huge needs 99999 MiB.",
    },
  ])(
    'ends an instance with $what in error, with a fault, a record and an event',
    async ({ spec, reason, message }) => {
      const instance = await kube.putInstance({ spec })
      const id = requestId(instance, 1)

      expect(await create.reconcile(instance)).toEqual({ kind: 'done' })

      const { metadata, status } = await kube.instance()
      expect(metadata.finalizers).toEqual([FINALIZER])
      expect(status).toMatchObject({
        vmState: 'error',
        fault: { reason, message, requestId: id },
        requestId: id,
      })
      expect(status).not.toHaveProperty('taskState')
      expect((await kube.action(recordName('create', id))).status).toMatchObject({ result: 'Error', message })
      expect(await world.events()).toEqual([['Warning', reason, `${message} (${id})`]])
      expect(world.sent).toEqual([])
    },
  )

  it('leaves an instance that changed meanwhile to the next look', async () => {
    const stale = await kube.putInstance()
    await kube.client.mergePatch(INSTANCE, stale.metadata, { spec: { metadata: { a: 'b' } } })
    await expect(create.reconcile(stale)).rejects.toSatisfy(isConflict)
  })
})

describe('Delete', () => {
  /** An instance that Kubernetes has begun to delete. */
  async function deleted(status: InstanceStatus): Promise<Instance> {
    const instance = await kube.putInstance({ finalizers: [FINALIZER], status })
    await kube.client.delete(INSTANCE, instance.metadata)
    return world.refresh()
  }

  it('has nothing to do for an instance that is not deleted', async () => {
    const instance = await kube.putInstance({ finalizers: [FINALIZER] })
    expect(await remove.reconcile(instance)).toBeUndefined()
  })

  it('has the host remove the guest first', async () => {
    const instance = await deleted({ vmState: 'active', host: 'node-1', requestId: 'req-1' })

    expect(await remove.reconcile(instance)).toEqual({ kind: 'after', ms: 30_000 })

    const id = requestId(instance, 2)
    const { metadata, status } = await kube.instance()
    expect(metadata.finalizers).toEqual([FINALIZER])
    expect(status).toMatchObject({ vmState: 'active', taskState: 'deleting', requestId: id })
    await until('it is sent', () => world.sent.length === 1)
    expect(world.sent).toEqual([`terminate_instance web ${id}`])
    expect((await kube.action(recordName('delete', id))).status).toBeUndefined()
  })

  it('waits while the host is at it', async () => {
    const instance = await deleted({
      vmState: 'active',
      taskState: 'deleting',
      host: 'node-1',
      requestId: 'req-1',
    })
    expect(await remove.reconcile(instance)).toBeUndefined()
    expect(await kube.instance()).toEqual(instance)
  })

  it.each<{ what: string; before: () => void }>([
    { what: 'is down', before: () => world.tellHost('node-1', 'down') },
    {
      what: 'is forced down',
      before: () => world.nodes.tell(makeComputeNode({ spec: { forcedDown: true } })),
    },
    { what: 'is not known any more', before: () => world.nodes.tellGone(makeComputeNode()) },
  ])('does not wait for a host that $what: a local delete, which its record tells', async ({ before }) => {
    await remove.reconcile(await deleted({ vmState: 'active', host: 'node-1', requestId: 'req-1' }))
    const instance = await world.refresh()
    before()

    expect(await remove.reconcile(instance)).toEqual({ kind: 'done' })

    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
    const record = await kube.action(recordName('delete', requestId(instance, 2)))
    expect(record.status).toMatchObject({
      result: 'Success',
      events: [{ name: 'api_local_delete', host: 'nova-api', result: 'Success' }],
    })
  })

  it.each(['spawning', 'rebuilding', 'migrating', 'resize_migrated', 'shelving'] as const)(
    'goes before what is in flight: %s',
    async (taskState) => {
      const instance = await deleted({ vmState: 'active', taskState, host: 'node-1', requestId: 'req-1' })
      expect(await remove.reconcile(instance)).toEqual({ kind: 'after', ms: 30_000 })
      expect((await kube.instance()).status.taskState).toBe('deleting')
    },
  )

  it('lets the instance go when the guest is removed', async () => {
    const instance = await deleted({ vmState: 'deleted', host: 'node-1', requestId: 'req-1' })
    expect(await remove.reconcile(instance)).toEqual({ kind: 'done' })
    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
    expect(world.logs.at('INFO').join()).toContain('[req-1 - default]')
  })

  it('lets an instance go at once that no host ever had, and ends its record', async () => {
    await remove.reconcile(await deleted({ vmState: 'error' }))
    const instance = await world.refresh()
    expect(await remove.reconcile(instance)).toEqual({ kind: 'done' })
    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
    const record = await kube.action(recordName('delete', requestId(instance, 2)))
    expect(record.status).toMatchObject({ result: 'Success' })
    expect(world.sent).toEqual([])
  })

  it('leaves a record of a delete that could not write one when it began', async () => {
    const instance = await deleted({ vmState: 'error' })
    kube.server.faults.refuse({ resource: 'instanceactions', verb: 'create' }, 503)
    await expect(remove.reconcile(instance)).rejects.toThrow()
    kube.server.faults.clear()
    const begun = await world.refresh()
    expect(begun.status.taskState).toBe('deleting')

    await remove.reconcile(begun)

    await expect(kube.instance()).rejects.toSatisfy(isNotFound)
    const record = await kube.action(recordName('delete', requestId(instance, 2)))
    expect(record.status).toMatchObject({ result: 'Success' })
  })

  it('does not take off the finalizers of others', async () => {
    const created = await kube.putInstance({
      finalizers: [FINALIZER, 'example.com/other'],
      status: { vmState: 'deleted', requestId: 'req-1' },
    })
    await kube.client.delete(INSTANCE, created.metadata)
    await remove.reconcile(await world.refresh())
    const instance = await world.refresh()
    expect(instance.metadata.finalizers).toEqual(['example.com/other'])
    expect(await remove.reconcile(instance)).toEqual({ kind: 'done' })
  })
})
