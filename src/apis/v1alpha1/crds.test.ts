import { describe, expect, it } from 'vitest'
import { isInvalid } from '../../kube/api-error.ts'
import { makeFlavor, makeImage, makeInstance, NEW_STATUS } from '../../testing/builders.ts'
import { kube, useKube } from '../../testing/use-kube.ts'
import { COMPUTE_NODE } from './compute-node.ts'
import { FLAVOR, type FlavorSpec } from './flavor.ts'
import { IMAGE, type Image, type ImageSpec } from './image.ts'
import { INSTANCE, type Instance, type InstanceSpec } from './instance.ts'
import { TASK_STATES, VM_STATES } from './states.ts'

let count = 0

useKube()

/** Undefined when it is taken; else what the API server has against it. */
async function refusal(create: Promise<unknown>): Promise<string | undefined> {
  try {
    await create
    return undefined
  } catch (error) {
    if (!isInvalid(error)) throw error
    return error.message
  }
}

async function createInstance(spec: Partial<InstanceSpec>, name = `web-${++count}`): Promise<Instance> {
  const { metadata: _, status: __, ...rest } = makeInstance({ spec })
  return kube.client.create(INSTANCE, { ...rest, metadata: { namespace: 'default', name } } as Instance)
}

function expectAnswer(said: string | undefined, wanted: string | undefined): void {
  if (wanted === undefined) expect(said).toBeUndefined()
  else expect(said).toContain(wanted)
}

const LABEL = "an instance's name must be a DNS label of at most 63 characters"

describe('an instance', () => {
  it('is building from the moment it is created, and wants to run', async () => {
    const { apiVersion, kind } = makeInstance()
    const metadata = { namespace: 'default', name: `web-${++count}` }
    const manifest = { apiVersion, kind, metadata, spec: { flavor: 'm1.tiny', image: 'cirros' } }

    await kube.client.create(INSTANCE, manifest as Instance)

    expect(await kube.instance(metadata.name)).toMatchObject({
      status: NEW_STATUS,
      spec: { powerState: 'Running' },
    })
  })

  it.each([
    { what: 'vm_state', field: 'vmState', values: VM_STATES },
    { what: 'task_state', field: 'taskState', values: TASK_STATES },
  ])('may have every $what there is', async ({ field, values }) => {
    const { metadata } = await createInstance({})
    const ref = { namespace: 'default', name: metadata.name }
    for (const value of values) {
      const patch = { status: { [field]: value } }
      const { status } = await kube.client.mergePatch(INSTANCE, ref, patch, { subresource: 'status' })
      expect(status).toMatchObject({ [field]: value })
    }
  })

  it.each([
    { what: '63 characters', name: 'a'.repeat(63), says: undefined },
    { what: '64 characters', name: 'a'.repeat(64), says: LABEL },
    { what: 'a dot', name: 'web.example', says: LABEL },
    { what: 'digits and dashes', name: '0-9', says: undefined },
  ])('may have a name of $what: $says', async ({ name, says }) => {
    expectAnswer(await refusal(createInstance({}, name)), says)
  })

  it.each<{ what: string; spec: Partial<InstanceSpec>; says: string | undefined }>([
    { what: 'no flavor name', spec: { flavor: '' }, says: 'spec.flavor' },
    { what: 'no image name', spec: { image: '' }, says: 'spec.image' },
    {
      what: 'a power state of Nova’s',
      spec: { powerState: 'RUNNING' as 'Running' },
      says: 'spec.powerState',
    },
    { what: 'user data of 65535 characters', spec: { userData: 'a'.repeat(65_535) }, says: undefined },
    { what: 'user data of 65536 characters', spec: { userData: 'a'.repeat(65_536) }, says: 'spec.userData' },
    { what: 'user data with padding and line breaks', spec: { userData: 'aGVs\nbG8=\n' }, says: undefined },
    { what: 'user data that is no base64', spec: { userData: '#cloud-config' }, says: 'spec.userData' },
    {
      what: 'user data twice',
      spec: { userData: 'aGk=', userDataSecret: { name: 's' } },
      says: 'give userData or userDataSecret, not both',
    },
    { what: 'a host name', spec: { hostname: 'web-1' }, says: undefined },
    { what: 'a host name of 64 characters', spec: { hostname: 'a'.repeat(64) }, says: 'spec.hostname' },
    { what: 'a host name in capitals', spec: { hostname: 'WEB' }, says: 'spec.hostname' },
    { what: 'a host name that ends in a dash', spec: { hostname: 'web-' }, says: 'spec.hostname' },
    { what: 'no host that is requested', spec: { requestedHost: '' }, says: 'spec.requestedHost' },
    { what: 'no zone name', spec: { availabilityZone: '' }, says: 'spec.availabilityZone' },
    {
      what: 'every character a metadata key may have',
      spec: { metadata: { 'aZ09-_:. ': 'x' } },
      says: undefined,
    },
    {
      what: 'a metadata key with a slash',
      spec: { metadata: { 'a/b': 'x' } },
      says: 'a metadata key has 1 to 255 of',
    },
    {
      what: 'an empty metadata key',
      spec: { metadata: { '': 'x' } },
      says: 'a metadata key has 1 to 255 of',
    },
    {
      what: 'a metadata key of 255 characters',
      spec: { metadata: { ['k'.repeat(255)]: 'x' } },
      says: undefined,
    },
    {
      what: 'a metadata key of 256 characters',
      spec: { metadata: { ['k'.repeat(256)]: 'x' } },
      says: 'a metadata key has 1 to 255 of',
    },
    {
      what: 'a metadata value of 255 characters',
      spec: { metadata: { k: 'v'.repeat(255) } },
      says: undefined,
    },
    {
      what: 'a metadata value of 256 characters',
      spec: { metadata: { k: 'v'.repeat(256) } },
      says: 'spec.metadata',
    },
    { what: '128 metadata items', spec: { metadata: manyItems(128) }, says: undefined },
    { what: '129 metadata items', spec: { metadata: manyItems(129) }, says: 'spec.metadata' },
  ])('with $what: $says', async ({ spec, says }) => {
    expectAnswer(await refusal(createInstance(spec)), says)
  })

  it.each<{ what: string; from: Partial<InstanceSpec>; to: object; says: string | undefined }>([
    {
      what: 'zone',
      from: { availabilityZone: 'a' },
      to: { availabilityZone: 'b' },
      says: 'the availability zone is fixed',
    },
    {
      what: 'zone, by taking it away',
      from: { availabilityZone: 'a' },
      to: { availabilityZone: null },
      says: 'the availability zone is fixed',
    },
    {
      what: 'zone, where there was none',
      from: {},
      to: { availabilityZone: 'a' },
      says: 'the availability zone is fixed',
    },
    {
      what: 'requested host',
      from: { requestedHost: 'a' },
      to: { requestedHost: 'b' },
      says: 'the requested host is fixed',
    },
    {
      what: 'requested host, where there was none',
      from: {},
      to: { requestedHost: 'a' },
      says: 'the requested host is fixed',
    },
    { what: 'host name', from: { hostname: 'a' }, to: { hostname: 'b' }, says: 'the host name is fixed' },
    { what: 'user data', from: { userData: 'aGk=' }, to: { userData: null }, says: 'user data is fixed' },
    { what: 'user data', from: {}, to: { userDataSecret: { name: 's' } }, says: 'user data is fixed' },
    { what: 'metadata', from: { metadata: { a: 'b' } }, to: { metadata: { a: 'c' } }, says: undefined },
  ])('that changes its $what: $says', async ({ from, to, says }) => {
    const { metadata } = await createInstance(from)
    const ref = { namespace: 'default', name: metadata.name }
    expectAnswer(await refusal(kube.client.mergePatch(INSTANCE, ref, { spec: to })), says)
  })

  it.each<{ what: string; status: object; says: string | undefined }>([
    { what: '16 hosts that failed', status: { triedHosts: names(16) }, says: undefined },
    { what: '17 hosts that failed', status: { triedHosts: names(17) }, says: 'status.triedHosts' },
    { what: '8 alternates', status: { alternates: names(8) }, says: undefined },
    { what: '9 alternates', status: { alternates: names(9) }, says: 'status.alternates' },
    {
      what: 'a migration of no type',
      status: { migration: { type: 'teleport', status: 'accepted', oldVmState: 'active' } },
      says: 'status.migration.type',
    },
    {
      what: 'a migration that is through',
      status: { migration: { type: 'resize', status: 'done', oldVmState: 'active' } },
      says: 'status.migration.status',
    },
    {
      what: 'a migration of what cannot move',
      status: { migration: { type: 'resize', status: 'accepted', oldVmState: 'rescued' } },
      says: 'status.migration.oldVmState',
    },
    {
      what: 'a migration that was accepted',
      status: { migration: { type: 'resize', status: 'accepted', oldVmState: 'active' } },
      says: undefined,
    },
    { what: 'a task of no operation', status: { taskState: 'dancing' }, says: 'status.taskState' },
  ])('whose status holds $what: $says', async ({ status, says }) => {
    const { metadata } = await createInstance({})
    const ref = { namespace: 'default', name: metadata.name }
    const patched = kube.client.mergePatch(INSTANCE, ref, { status }, { subresource: 'status' })
    expectAnswer(await refusal(patched), says)
  })
})

describe('a flavor', () => {
  it.each<{ what: string; spec: Partial<FlavorSpec>; says: string | undefined }>([
    { what: 'no disk', spec: { diskGb: 0 }, says: undefined },
    { what: 'no vCPU', spec: { vcpus: 0 }, says: 'spec.vcpus' },
    { what: 'no memory', spec: { memoryMb: 0 }, says: 'spec.memoryMb' },
    { what: 'a negative disk', spec: { diskGb: -1 }, says: 'spec.diskGb' },
    { what: 'half a vCPU', spec: { vcpus: 0.5 }, says: 'spec.vcpus' },
    { what: 'the most Nova takes', spec: { memoryMb: 2_147_483_647 }, says: undefined },
    { what: 'more than Nova takes', spec: { memoryMb: 2_147_483_648 }, says: 'spec.memoryMb' },
  ])('with $what: $says', async ({ spec, says }) => {
    expectAnswer(
      await refusal(kube.client.create(FLAVOR, makeFlavor({ name: `f-${++count}`, ...spec }))),
      says,
    )
  })
})

const ONE_SOURCE = 'give exactly one of containerDisk, persistentVolumeClaim, dataVolume'
const ONE_DATA_SOURCE = 'give exactly one of http, registry, pvc, snapshot'
const containerDisk = { image: 'registry.example/cirros' }
const persistentVolumeClaim = { claimName: 'disk' }
const http = { url: 'https://example.com/disk.img' }
const registry = { url: 'docker://registry.example/disk' }

describe('an image', () => {
  it.each<{ what: string; spec: Partial<ImageSpec>; says: string | undefined }>([
    { what: 'a container disk', spec: { containerDisk }, says: undefined },
    { what: 'a claim', spec: { persistentVolumeClaim }, says: undefined },
    { what: 'a data volume over http', spec: { dataVolume: { http } }, says: undefined },
    {
      what: 'a data volume of a registry',
      spec: { dataVolume: { registry, storageClassName: 'fast' } },
      says: undefined,
    },
    {
      what: 'a data volume of a claim',
      spec: { dataVolume: { pvc: { namespace: 'images', name: 'disk' } } },
      says: undefined,
    },
    {
      what: 'a data volume of a snapshot',
      spec: { dataVolume: { snapshot: { namespace: 'default', name: 'disk' } } },
      says: undefined,
    },
    { what: 'no source', spec: {}, says: ONE_SOURCE },
    { what: 'two sources', spec: { containerDisk, persistentVolumeClaim }, says: ONE_SOURCE },
    {
      what: 'three sources',
      spec: { containerDisk, persistentVolumeClaim, dataVolume: { http } },
      says: ONE_SOURCE,
    },
    { what: 'a data volume of nothing', spec: { dataVolume: {} }, says: ONE_DATA_SOURCE },
    { what: 'a data volume of two things', spec: { dataVolume: { http, registry } }, says: ONE_DATA_SOURCE },
    { what: 'a negative minimum', spec: { containerDisk, minRamMb: -1 }, says: 'spec.minRamMb' },
    {
      what: 'an architecture nobody has',
      spec: { containerDisk, properties: { hw_architecture: 'vax' as 'x86_64' } },
      says: 'spec.properties.hw_architecture',
    },
    {
      what: 'more than a day to shut down',
      spec: { containerDisk, properties: { os_shutdown_timeout: 86_401 } },
      says: 'spec.properties.os_shutdown_timeout',
    },
  ])('of $what: $says', async ({ spec, says }) => {
    const { apiVersion, kind } = makeImage()
    const image = { apiVersion, kind, metadata: { name: `i-${++count}` }, spec }
    expectAnswer(await refusal(kube.client.create(IMAGE, image as Image)), says)
  })

  it('asks nothing of flavor and host unless it says so', async () => {
    const { apiVersion, kind } = makeImage()
    const name = `i-${++count}`
    await kube.client.create(IMAGE, {
      apiVersion,
      kind,
      metadata: { name },
      spec: { containerDisk },
    } as Image)

    const { spec } = await kube.client.get(IMAGE, { name })
    expect(spec).toEqual({ containerDisk, minRamMb: 0, minDiskGb: 0, properties: {} })
  })
})

describe('a compute node', () => {
  it('is enabled, and leaves ratios and reserves to the scheduler, unless the operator says otherwise', async () => {
    const name = `node-${++count}`
    const node = { apiVersion: 'compute.kilonova.dev/v1alpha1', kind: 'ComputeNode', metadata: { name } }
    await kube.client.create(COMPUTE_NODE, node)

    const { spec } = await kube.client.get(COMPUTE_NODE, { name })
    expect(spec).toEqual({ disabled: false, forcedDown: false, allocationRatios: {}, reserved: {} })
  })
})

function manyItems(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`key-${n}`, 'x']))
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `node-${n}`)
}
