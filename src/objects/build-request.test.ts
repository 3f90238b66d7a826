import { describe, expect, it } from 'vitest'
import type { Image, ImageSpec } from '../apis/v1alpha1/image.ts'
import { FlavorDiskSmallerThanMinDisk, FlavorMemoryTooSmall } from '../common/errors/flavor-and-image.ts'
import { makeImage, makeInstance, UID } from '../testing/builders.ts'
import {
  buildRequest,
  checkFlavorFitsImage,
  type DiskSource,
  type FlavorSize,
  type ImageMeta,
  refOfInstance,
  toBuildRequest,
  toImageMeta,
} from './build-request.ts'

const carried = (spec: Partial<ImageSpec> = {}): ImageMeta => toImageMeta(makeImage(spec))
const FLAVOR: FlavorSize = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }

describe('a flavor', () => {
  it.each<{ what: string; flavor: Partial<FlavorSize>; image: Partial<ImageSpec>; error: unknown }>([
    {
      what: 'with exactly the memory',
      flavor: { memoryMb: 512 },
      image: { minRamMb: 512 },
      error: undefined,
    },
    {
      what: 'with 1 MiB too little',
      flavor: { memoryMb: 511 },
      image: { minRamMb: 512 },
      error: FlavorMemoryTooSmall,
    },
    { what: 'with exactly the disk', flavor: { diskGb: 10 }, image: { minDiskGb: 10 }, error: undefined },
    {
      what: 'with 1 GiB too little',
      flavor: { diskGb: 9 },
      image: { minDiskGb: 10 },
      error: FlavorDiskSmallerThanMinDisk,
    },
    { what: 'without a disk of its own', flavor: { diskGb: 0 }, image: { minDiskGb: 10 }, error: undefined },
    {
      what: 'without a disk, and with too little memory',
      flavor: { diskGb: 0, memoryMb: 1 },
      image: { minDiskGb: 10, minRamMb: 2 },
      error: FlavorMemoryTooSmall,
    },
  ])('$what is judged as in Nova', ({ flavor, image, error }) => {
    const check = (): void => checkFlavorFitsImage({ ...FLAVOR, ...flavor }, carried(image))
    if (error === undefined) expect(check).not.toThrow()
    else expect(check).toThrow(error as typeof Error)
  })
})

describe('a build request', () => {
  it('takes the instance’s name for the guest’s host name where none is given', () => {
    expect(toBuildRequest(makeInstance({ name: 'db' }), FLAVOR, carried()).hostname).toBe('db')
    const named = makeInstance({ name: 'db', spec: { hostname: 'primary' } })
    expect(toBuildRequest(named, FLAVOR, carried()).hostname).toBe('primary')
  })

  it('carries all a build needs, and reads the same after its way through a message', () => {
    const instance = makeInstance({
      spec: {
        availabilityZone: 'west',
        requestedHost: 'node-2',
        schedulerHints: { group: 'web', different_host: ['db'] },
        userData: 'aGk=',
      },
    })
    const properties = { hw_architecture: 'x86_64', os_shutdown_timeout: 30 } as const

    const flavor = { ...FLAVOR, extraSpecs: { 'trait:CUSTOM_SSD': 'required' } }
    const request = toBuildRequest(instance, flavor, carried({ properties, minRamMb: 64, minDiskGb: 1 }))

    expect(buildRequest.parse(JSON.parse(JSON.stringify(request)))).toEqual({
      instance: { namespace: 'default', name: 'web', uid: UID },
      flavor: FLAVOR,
      extraSpecs: { 'trait:CUSTOM_SSD': 'required' },
      hints: { group: 'web', different_host: ['db'] },
      image: {
        name: 'cirros',
        disk: { kind: 'containerDisk', image: 'registry.example/cirros' },
        properties,
        minRamMb: 64,
        minDiskGb: 1,
      },
      hostname: 'web',
      availabilityZone: 'west',
      requestedHost: 'node-2',
      userData: 'aGk=',
    })
  })

  it('names the Secret with the user data', () => {
    const instance = makeInstance({ spec: { userDataSecret: { name: 'cloud-init' } } })
    expect(toBuildRequest(instance, FLAVOR, carried()).userDataSecret).toBe('cloud-init')
  })

  it('of an older version, which says nothing of least sizes, is understood', () => {
    const { image, ...request } = toBuildRequest(makeInstance(), FLAVOR, carried())
    const { minRamMb: _ram, minDiskGb: _disk, ...older } = image
    expect(buildRequest.parse({ ...request, image: older }).image).toEqual(older)
  })
})

describe('what an instance carries of an image', () => {
  it.each<{ source: Partial<ImageSpec>; want: DiskSource }>([
    {
      source: { containerDisk: { image: 'registry.example/a' } },
      want: { kind: 'containerDisk', image: 'registry.example/a' },
    },
    {
      source: { persistentVolumeClaim: { claimName: 'disk' } },
      want: { kind: 'persistentVolumeClaim', claimName: 'disk' },
    },
    {
      source: { dataVolume: { http: { url: 'https://example.com/a' } } },
      want: { kind: 'dataVolume', source: { http: { url: 'https://example.com/a' } } },
    },
    {
      source: { dataVolume: { registry: { url: 'docker://a' }, storageClassName: 'fast' } },
      want: { kind: 'dataVolume', source: { registry: { url: 'docker://a' } }, storageClassName: 'fast' },
    },
    {
      source: { dataVolume: { pvc: { namespace: 'images', name: 'a' } } },
      want: { kind: 'dataVolume', source: { pvc: { namespace: 'images', name: 'a' } } },
    },
    {
      source: { dataVolume: { snapshot: { namespace: 'default', name: 'a' } } },
      want: { kind: 'dataVolume', source: { snapshot: { namespace: 'default', name: 'a' } } },
    },
  ])('has its disk from $want.kind', ({ source, want }) => {
    expect(carried(source).disk).toEqual(want)
  })

  it('is nothing, where that names no source', () => {
    const { spec, ...image } = makeImage()
    const { containerDisk: _, ...rest } = spec
    const bare: Image = { ...image, spec: rest }
    expect(() => toImageMeta(bare)).toThrow('Image cirros is unacceptable: it names no source for its disk')
  })
})

it('an instance without a namespace lies in default', () => {
  const { namespace: _, ...metadata } = makeInstance().metadata
  expect(refOfInstance({ ...makeInstance(), metadata })).toEqual({
    namespace: 'default',
    name: 'web',
    uid: UID,
  })
})
