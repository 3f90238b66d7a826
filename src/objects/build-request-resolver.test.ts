import { afterEach, describe, expect, it } from 'vitest'
import { FLAVOR, type Flavor } from '../apis/v1alpha1/flavor.ts'
import type { ImageSpec } from '../apis/v1alpha1/image.ts'
import { INSTANCE, type InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { FlavorMemoryTooSmall, FlavorNotFound, ImageNotFound } from '../common/errors/flavor-and-image.ts'
import { isRetryable } from '../kube/api-error.ts'
import { makeFlavor, makeImage, makeInstance } from '../testing/builders.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { type ImageMeta, type ImageProperties, toImageMeta } from './build-request.ts'
import { BuildRequestResolver } from './build-request-resolver.ts'

let resolver: BuildRequestResolver

useKube(async () => {
  await Promise.all([
    kube.putFlavor({ name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }),
    kube.putImage({ name: 'cirros', minRamMb: 64 }),
    kube.putImage({ name: 'huge', minRamMb: 4096 }),
  ])
  resolver = new BuildRequestResolver(kube)
})

describe('the request to build an instance', () => {
  it('has the size its flavor has now', async () => {
    const request = await resolver.resolve(makeInstance())
    expect(request.flavor).toEqual({ name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 })
  })

  it('has the size the instance was bound with, where it was bound before', async () => {
    const flavor = { name: 'm1.tiny', vcpus: 2, memoryMb: 1024, diskGb: 20 }
    const request = await resolver.resolve(makeInstance({ status: { flavor } }))
    expect(request.flavor).toEqual(flavor)
  })

  describe('of one that is resized', () => {
    const small = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
    const big = { name: 'm1.big', vcpus: 4, memoryMb: 2048, diskGb: 10 }
    const sizes = { oldFlavor: small, newFlavor: big }
    const way = { type: 'resize', oldVmState: 'active', sourceHost: 'node-1' } as const

    it.each<{ what: string; status: InstanceStatus; want: object }>([
      {
        what: 'the size it is to have, before it goes',
        status: { host: 'node-1', flavor: small, migration: { ...way, ...sizes, status: 'accepted' } },
        want: big,
      },
      {
        what: 'the size it is to have, where it goes',
        status: {
          host: 'node-2',
          flavor: big,
          migration: { ...way, ...sizes, status: 'running', destHost: 'node-2' },
        },
        want: big,
      },
      {
        what: 'the size it had, where it goes back',
        status: {
          host: 'node-1',
          flavor: small,
          migration: { ...way, ...sizes, status: 'reverting', destHost: 'node-2' },
        },
        want: small,
      },
      {
        what: 'its size, where it only moves',
        status: {
          host: 'node-1',
          flavor: small,
          migration: { ...way, type: 'migration', status: 'accepted' },
        },
        want: small,
      },
    ])('has $what', async ({ status, want }) => {
      expect((await resolver.resolve(makeInstance({ status }))).flavor).toEqual(want)
    })
  })

  describe('asks of a host', () => {
    const SIZE = { name: 'm1.nvme', vcpus: 1, memoryMb: 512, diskGb: 1 }
    const NVME = { 'trait:CUSTOM_NVME': 'required' }
    const SSD = { 'trait:CUSTOM_SSD': 'required' }
    const way = { type: 'resize', oldVmState: 'active', sourceHost: 'node-1' } as const
    const flavors = { oldFlavor: { ...SIZE, extraSpecs: NVME }, newFlavor: { ...SIZE, extraSpecs: SSD } }
    const asked = async (status: InstanceStatus, by: BuildRequestResolver = resolver): Promise<object> =>
      (await by.resolve(makeInstance({ spec: { flavor: SIZE.name }, status }))).extraSpecs

    async function withFlavor(extraSpecs: Flavor['spec']['extraSpecs'] = {}): Promise<void> {
      await kube.client.create(FLAVOR, makeFlavor({ ...SIZE, extraSpecs }))
    }
    afterEach(async () => {
      const { items } = await kube.client.list(FLAVOR)
      if (items.some(({ metadata }) => metadata.name === SIZE.name))
        await kube.client.delete(FLAVOR, { name: SIZE.name })
    })

    it('what its flavor asks now, while it has no host yet', async () => {
      await withFlavor(NVME)
      expect(await asked({})).toEqual(NVME)
    })

    it.each([
      { what: 'something', extraSpecs: NVME },
      { what: 'nothing', extraSpecs: {} },
    ])('what its flavor asked when it was bound: $what, whatever that asks now', async ({ extraSpecs }) => {
      await withFlavor(SSD)
      expect(await asked({ flavor: { ...SIZE, extraSpecs } })).toEqual(extraSpecs)
    })

    it('what its flavor asked when it was bound, where that is gone', async () => {
      expect(await asked({ flavor: { ...SIZE, extraSpecs: NVME } })).toEqual(NVME)
    })

    it.each<{ what: string; status: InstanceStatus; want: object }>([
      {
        what: 'the new flavor asked when the resize began',
        status: { host: 'node-1', migration: { ...way, ...flavors, status: 'accepted' } },
        want: SSD,
      },
      {
        what: 'the old flavor asks, where it goes back',
        status: { host: 'node-1', migration: { ...way, ...flavors, status: 'reverting' } },
        want: NVME,
      },
    ])('what $what', async ({ status, want }) => {
      expect(await asked({ flavor: { ...SIZE, extraSpecs: {} }, ...status })).toEqual(want)
    })

    describe('of one that an older version bound', () => {
      const BOUND = { flavor: SIZE }

      it.each<{ what: string; known: Flavor | undefined }>([
        { what: 'that is known', known: makeFlavor({ ...SIZE, extraSpecs: SSD }) },
        { what: 'that is looked up', known: undefined },
      ])('what its flavor asks now, $what', async ({ known }) => {
        if (!known) await withFlavor(SSD)
        const catalogue = { flavor: () => known, image: () => undefined }
        expect(
          await asked(BOUND, new BuildRequestResolver({ client: kube.client, known: catalogue })),
        ).toEqual(SSD)
      })

      it('nothing, where its flavor is gone', async () => {
        expect(await asked(BOUND)).toEqual({})
      })

      it('is not told while the API server is in trouble', async () => {
        const disarm = kube.server.faults.refuse({ resource: 'flavors' }, 500, 1)
        await expect(asked(BOUND)).rejects.toSatisfy(isRetryable)
        disarm()
      })
    })
  })

  describe('has for its image', () => {
    const now = toImageMeta(makeImage({ minRamMb: 64 }))
    const then = toImageMeta(makeImage({ properties: { hw_firmware_type: 'uefi' } }))
    const gone = { ...then, name: 'gone' }

    it.each<{ what: string; image: string; status: InstanceStatus; want: ImageMeta }>([
      { what: 'that of its spec as it is now, before it is bound', image: 'cirros', status: {}, want: now },
      {
        what: 'what it carries, whatever the Image says now',
        image: 'cirros',
        status: { imageMeta: then },
        want: then,
      },
      {
        what: 'what it carries, where the Image is gone',
        image: 'gone',
        status: { imageMeta: gone },
        want: gone,
      },
      {
        what: 'that of the last rebuild as it is now, where an older version bound and rebuilt it',
        image: 'gone',
        status: { image: 'cirros' },
        want: now,
      },
      {
        what: 'that of the last rebuild as it is now, where an older version rebuilt it, and not what it carried before',
        image: 'cirros',
        status: { image: 'cirros', imageMeta: gone },
        want: now,
      },
      {
        what: 'what it carries from its last rebuild',
        image: 'cirros',
        status: { image: 'gone', imageMeta: gone },
        want: gone,
      },
    ])('$what', async ({ image, status, want }) => {
      expect((await resolver.resolve(makeInstance({ spec: { image }, status }))).image).toEqual(want)
    })

    /** All of them: what the definition of an Instance does not know, the API server drops. */
    const ALL: Required<ImageProperties> = {
      hw_architecture: 'x86_64',
      img_hv_type: 'kvm',
      hw_vm_mode: 'hvm',
      hw_disk_bus: 'scsi',
      hw_vif_model: 'e1000',
      hw_machine_type: 'q35',
      hw_firmware_type: 'uefi',
      img_config_drive: 'mandatory',
      os_distro: 'debian',
      os_shutdown_timeout: 30,
      traits_required: ['CUSTOM_GPU'],
    }
    const named = { namespace: 'images', name: 'disk' }

    it.each<Partial<ImageSpec>>([
      { containerDisk: { image: 'registry.example/a' } },
      { persistentVolumeClaim: { claimName: 'disk' } },
      { dataVolume: { http: { url: 'https://example.com/a' }, storageClassName: 'fast' } },
      { dataVolume: { registry: { url: 'docker://a' } } },
      { dataVolume: { pvc: named } },
      { dataVolume: { snapshot: named } },
    ])('the whole of what was written down: %j', async (source) => {
      const imageMeta = toImageMeta(makeImage({ name: 'gone', minDiskGb: 1, properties: ALL, ...source }))
      const { metadata, ...instance } = await kube.putInstance({
        spec: { image: 'gone' },
        status: { imageMeta },
      })
      expect((await resolver.resolve({ ...instance, metadata })).image).toEqual(imageMeta)
      await kube.client.delete(INSTANCE, metadata)
    })
  })

  it.each([
    { what: 'a flavor that is not there', spec: { flavor: 'm9' }, error: FlavorNotFound },
    { what: 'an image that is not there', spec: { image: 'none' }, error: ImageNotFound },
    { what: 'a flavor too small for the image', spec: { image: 'huge' }, error: FlavorMemoryTooSmall },
  ])('cannot be made for $what', async ({ spec, error }) => {
    await expect(resolver.resolve(makeInstance({ spec }))).rejects.toThrow(error)
  })

  it('fails as the API server does while that is in trouble', async () => {
    const disarm = kube.server.faults.refuse({ resource: 'flavors' }, 500, 1)
    await expect(resolver.resolve(makeInstance())).rejects.toSatisfy(isRetryable)
    disarm()
  })
})

describe('what an operation looks up by name', () => {
  it('is found as it is now', async () => {
    expect(await resolver.flavor('m1.tiny')).toEqual({
      name: 'm1.tiny',
      vcpus: 1,
      memoryMb: 512,
      diskGb: 1,
      extraSpecs: {},
    })
    expect(await resolver.image('huge')).toEqual(toImageMeta(makeImage({ name: 'huge', minRamMb: 4096 })))
  })

  it('is told where it is not there', async () => {
    await expect(resolver.flavor('m9')).rejects.toThrow(FlavorNotFound)
    await expect(resolver.image('none')).rejects.toThrow(ImageNotFound)
  })
})
