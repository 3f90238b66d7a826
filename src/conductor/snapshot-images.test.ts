import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { Forbidden } from '../common/errors/access.ts'
import { ImageConflict } from '../common/errors/flavor-and-image.ts'
import { InstanceNotFound } from '../common/errors/instance-state.ts'
import { refOfInstance, toImageMeta } from '../objects/build-request.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import { InstanceStore } from '../objects/instance-store.ts'
import { makeContext, makeImage } from '../testing/builders.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog } from '../testing/log-capture.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { SnapshotImages } from './snapshot-images.ts'

const ctx = makeContext({ requestId: 'req-1' })
const source = { snapshot: { namespace: 'default', name: 'web-1' } }
const SNAPSHOT: InstanceStatus = {
  vmState: 'active',
  taskState: 'image_snapshot',
  host: 'node-1',
  requestId: 'req-1',
  action: { name: 'mine', operation: 'createImage', imageName: 'web-1' },
}

let images: SnapshotImages
/** What each snapshot was given to. */
let given: unknown[]

useKube(async () => {
  await kube.putImage({
    name: 'cirros',
    minRamMb: 64,
    minDiskGb: 1,
    properties: { hw_architecture: 'x86_64', os_shutdown_timeout: 30 },
  })
  await kube.putImage({ name: 'debian', minRamMb: 512 })
})
beforeEach(() => {
  const { client } = kube
  given = []
  images = new SnapshotImages({
    client,
    instances: new InstanceStore({ client, clock: new FakeClock() }),
    requests: new BuildRequestResolver({ client }),
    snapshots: {
      giveTo: async (_ctx, guest, name, image) => {
        given.push([guest.name, name, image])
      },
    },
    log: captureLog().log,
  })
})
afterEach(async () => {
  for (const { metadata } of (await kube.client.list(INSTANCE)).items)
    await kube.client.delete(INSTANCE, metadata)
  const made = (await kube.client.list(IMAGE)).items.filter(({ metadata }) => metadata.name === 'web-1')
  for (const { metadata } of made) await kube.client.delete(IMAGE, metadata)
})

describe('the image of a snapshot', () => {
  it('has the properties of the one the instance was made from, and the snapshot for its disk', async () => {
    const instance = await kube.putInstance({ status: SNAPSHOT })

    await images.create(ctx, 'node-1', { instance: refOfInstance(instance), source })

    const { spec, metadata } = await kube.client.get(IMAGE, { name: 'web-1' })
    expect(spec).toEqual({
      minRamMb: 64,
      minDiskGb: 1,
      properties: { hw_architecture: 'x86_64', os_shutdown_timeout: 30 },
      dataVolume: source,
    })
    expect(metadata.labels).toEqual({ 'compute.kilonova.dev/instance': 'web' })
  })

  it('has those of the one it was rebuilt from', async () => {
    const instance = await kube.putInstance({ status: { ...SNAPSHOT, image: 'debian' } })
    await images.create(ctx, 'node-1', { instance: refOfInstance(instance), source })
    expect((await kube.client.get(IMAGE, { name: 'web-1' })).spec.minRamMb).toBe(512)
  })

  it('has those that the instance carries, whatever became of the Image', async () => {
    const properties = { hw_firmware_type: 'uefi' } as const
    const imageMeta = toImageMeta(makeImage({ minRamMb: 256, properties }))
    const instance = await kube.putInstance({ status: { ...SNAPSHOT, imageMeta } })
    await images.create(ctx, 'node-1', { instance: refOfInstance(instance), source })
    expect((await kube.client.get(IMAGE, { name: 'web-1' })).spec).toMatchObject({
      minRamMb: 256,
      properties,
    })
  })

  it('is made once, however often the same request asks, and has its snapshot each time', async () => {
    const instance = await kube.putInstance({ status: SNAPSHOT })
    const args = { instance: refOfInstance(instance), source }
    await images.create(ctx, 'node-1', args)
    const made = await kube.client.get(IMAGE, { name: 'web-1' })

    // Whoever made it may have died before the snapshot was its own.
    await images.create(ctx, 'node-1', args)

    expect(await kube.client.get(IMAGE, { name: 'web-1' })).toEqual(made)
    const { apiVersion, kind, metadata } = made
    const image = { apiVersion, kind, name: 'web-1', uid: metadata.uid }
    expect(given).toEqual([
      ['web', 'web-1', image],
      ['web', 'web-1', image],
    ])
  })

  it('takes the place of no other', async () => {
    const instance = await kube.putInstance({ status: SNAPSHOT })
    const other = await kube.putImage({ name: 'web-1' })
    const asked = images.create(ctx, 'node-1', { instance: refOfInstance(instance), source })
    await expect(asked).rejects.toThrow(ImageConflict)
    expect(given).toEqual([])
    expect(await kube.client.get(IMAGE, { name: 'web-1' })).toEqual(other)
  })

  it.each<{ what: string; status: InstanceStatus; host?: string }>([
    { what: 'on another host', status: SNAPSHOT, host: 'node-2' },
    { what: 'while something else is done', status: { ...SNAPSHOT, taskState: 'rebuilding' } },
    { what: 'when it is over', status: { vmState: 'active', host: 'node-1', requestId: 'req-1' } },
    {
      what: 'where nobody gave it a name',
      status: { ...SNAPSHOT, action: { name: 'mine', operation: 'createImage' } },
    },
  ])('is not made $what', async ({ status, host = 'node-1' }) => {
    const instance = await kube.putInstance({ status })
    const asked = images.create(ctx, host, { instance: refOfInstance(instance), source })
    await expect(asked).rejects.toThrow(Forbidden)
    const { items } = await kube.client.list(IMAGE)
    expect(items.map(({ metadata }) => metadata.name)).not.toContain('web-1')
  })

  it.each([
    { what: 'a snapshot of another project', source: { snapshot: { namespace: 'other', name: 'web-1' } } },
    { what: 'what is no snapshot', source: { pvc: { namespace: 'default', name: 'web-1' } } },
  ])('is not made of $what', async ({ source: other }) => {
    const instance = await kube.putInstance({ status: SNAPSHOT })
    const asked = images.create(ctx, 'node-1', { instance: refOfInstance(instance), source: other })
    await expect(asked).rejects.toThrow(Forbidden)
  })

  it('is not made of an instance that is gone', async () => {
    const instance = { namespace: 'default', name: 'web', uid: 'gone' }
    await expect(images.create(ctx, 'node-1', { instance, source })).rejects.toThrow(InstanceNotFound)
  })
})
