import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FlavorMemoryTooSmall, FlavorNotFound, ImageNotFound } from '../common/errors.ts'
import { isRetryable } from '../kube/api-error.ts'
import { makeInstance } from '../testing/builders.ts'
import { EmbeddedKube } from '../testing/embedded-kube.ts'
import { BuildRequestResolver } from './build-request-resolver.ts'

let kube: EmbeddedKube
let resolver: BuildRequestResolver

beforeAll(async () => {
  kube = await EmbeddedKube.start()
  await Promise.all([
    kube.putFlavor({ name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }),
    kube.putImage({ name: 'cirros', minRamMb: 64 }),
    kube.putImage({ name: 'huge', minRamMb: 4096 }),
  ])
  resolver = new BuildRequestResolver(kube)
})
afterAll(() => kube?.close())

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
