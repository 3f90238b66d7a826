import { beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE, type ComputeNode } from '../apis/v1alpha1/compute-node.ts'
import type { Instance, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { InstanceActionSpec } from '../apis/v1alpha1/instance-action.ts'
import type { OperationName } from '../apis/v1alpha1/operations.ts'
import { toImageMeta } from '../objects/build-request.ts'
import { BuildRequestResolver } from '../objects/build-request-resolver.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { makeComputeNode, makeImage, makeInstance } from '../testing/builders.ts'
import { ToldInformer } from '../testing/told-informer.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import { HostStates } from './host-states.ts'
import { Preparation } from './preparation.ts'

const FLAVOR = {
  name: 'm1.small',
  vcpus: 1,
  memoryMb: 1024,
  diskGb: 10,
  extraSpecs: { 'trait:CUSTOM_SSD': 'required' },
}
const ACTIVE = { vmState: 'active', host: 'node-1', flavor: FLAVOR } as const

let nodes: ToldInformer<ComputeNode>
let preparation: Preparation

useKube(() =>
  Promise.all([
    kube.putFlavor(FLAVOR),
    kube.putFlavor(BIG),
    kube.putFlavor({ name: 'm1.plain', vcpus: 4, memoryMb: 4096, diskGb: 20 }),
    kube.putFlavor({ name: 'm1.flat', vcpus: 4, memoryMb: 4096, diskGb: 5 }),
    kube.putFlavor({ name: 'm1.lean', vcpus: 1, memoryMb: 128, diskGb: 20 }),
    kube.putImage({ name: 'cirros', minRamMb: 512 }),
    kube.putImage({ name: 'debian', properties: { os_shutdown_timeout: 30 } }),
    kube.putImage({ name: 'huge', minRamMb: 99_999 }),
    kube.putImage({ name: 'wide', minDiskGb: 15 }),
  ]),
)
beforeEach(() => {
  nodes = new ToldInformer(COMPUTE_NODE)
  for (const name of ['node-1', 'node-2']) nodes.tell(makeComputeNode({ name }))
  const { client } = kube
  const hosts = new HostStates({ nodes: nodes.informer })
  preparation = new Preparation({ client, requests: new BuildRequestResolver({ client }), hosts })
})

function instanceOf(flavor = 'm1.small', status: InstanceStatus = ACTIVE): Instance {
  return makeInstance({ spec: { flavor }, status })
}

function asks(spec: Partial<InstanceActionSpec> = {}): InstanceActionSpec {
  return { action: 'migrate', instance: 'web', ...spec }
}

const MOVE = { status: 'accepted', oldVmState: 'active', sourceHost: 'node-1' } as const
const BIG = {
  name: 'm1.big',
  vcpus: 4,
  memoryMb: 4096,
  diskGb: 20,
  extraSpecs: { 'trait:CUSTOM_NVME': 'required' },
}
const CIRROS = toImageMeta(makeImage({ minRamMb: 512 }))
const DEBIAN = toImageMeta(makeImage({ name: 'debian', properties: { os_shutdown_timeout: 30 } }))
const GONE = toImageMeta(makeImage({ name: 'gone', minRamMb: 512 }))
const PLAIN = { ...BIG, name: 'm1.plain', extraSpecs: {} }

describe('an operation writes down', () => {
  it.each<{
    name: OperationName
    instance?: Instance
    asked?: InstanceActionSpec
    want: InstanceUpdate
  }>([
    {
      name: 'resize',
      instance: instanceOf('m1.big'),
      want: { migration: { ...MOVE, type: 'resize', oldFlavor: FLAVOR, newFlavor: BIG } },
    },
    {
      name: 'resize',
      instance: instanceOf('m1.plain'),
      want: { migration: { ...MOVE, type: 'resize', oldFlavor: FLAVOR, newFlavor: PLAIN } },
    },
    { name: 'migrate', asked: asks(), want: { migration: { ...MOVE, type: 'migration' } } },
    {
      name: 'migrate',
      asked: asks({ host: 'node-2' }),
      want: { migration: { ...MOVE, type: 'migration', requestedHost: 'node-2' } },
    },
    {
      name: 'live-migration',
      instance: instanceOf('m1.small', { ...ACTIVE, vmState: 'paused' }),
      asked: asks({ action: 'live-migration' }),
      want: { migration: { ...MOVE, type: 'live-migration', oldVmState: 'paused' } },
    },
    {
      name: 'evacuate',
      instance: instanceOf('m1.small', { ...ACTIVE, vmState: 'error' }),
      asked: asks({ action: 'evacuate', host: 'node-2' }),
      want: { migration: { ...MOVE, type: 'evacuation', oldVmState: 'error', requestedHost: 'node-2' } },
    },
    { name: 'confirmResize', want: { migration: { status: 'confirming' } } },
    { name: 'revertResize', want: {} },
    {
      name: 'rebuild',
      asked: asks({ action: 'rebuild', image: 'debian' }),
      want: { image: 'debian', imageMeta: DEBIAN, shutdownTimeoutSeconds: 30 },
    },
    {
      name: 'rebuild',
      asked: asks({ action: 'rebuild', image: 'cirros' }),
      want: { image: 'cirros', imageMeta: CIRROS, shutdownTimeoutSeconds: null },
    },
    { name: 'rescue', asked: asks({ action: 'rescue' }), want: {} },
    {
      name: 'rescue',
      instance: instanceOf('m1.small', { ...ACTIVE, image: 'gone', imageMeta: GONE }),
      asked: asks({ action: 'rescue' }),
      want: {},
    },
    {
      name: 'resize',
      instance: instanceOf('m1.big', { ...ACTIVE, image: 'gone', imageMeta: GONE }),
      want: { migration: { ...MOVE, type: 'resize', oldFlavor: FLAVOR, newFlavor: BIG } },
    },
    { name: 'rescue', asked: asks({ action: 'rescue', image: 'debian' }), want: {} },
    { name: 'createImage', asked: asks({ action: 'createImage', imageName: 'new' }), want: {} },
    { name: 'stop', want: {} },
  ])('$name: $want', async ({ name, instance = instanceOf(), asked, want }) => {
    expect(await preparation.of(instance, name, asked)).toEqual(want)
  })
})

describe('an operation is refused', () => {
  it.each<{
    what: string
    name: OperationName
    instance?: Instance
    asked?: InstanceActionSpec
    error: string
    says: string
  }>([
    {
      what: 'a disk that would shrink',
      name: 'resize',
      instance: instanceOf('m1.flat'),
      error: 'CannotResizeDisk',
      says: 'has a disk of 10 GiB, which cannot be resized to 5 GiB: disks do not shrink.',
    },
    {
      what: 'an unknown flavor',
      name: 'resize',
      instance: instanceOf('m9'),
      error: 'FlavorNotFound',
      says: 'Flavor m9 could not be found.',
    },
    {
      what: 'a flavor that the image does not fit',
      name: 'resize',
      instance: instanceOf('m1.lean'),
      error: 'FlavorMemoryTooSmall',
      says: 'flavor m1.lean has 128 MiB, image cirros needs 512 MiB.',
    },
    {
      what: 'a flavor that the image it carries does not fit',
      name: 'resize',
      instance: instanceOf('m1.lean', { ...ACTIVE, image: 'gone', imageMeta: GONE }),
      error: 'FlavorMemoryTooSmall',
      says: 'flavor m1.lean has 128 MiB, image gone needs 512 MiB.',
    },
    {
      what: 'an image of its own that is gone, where an older version bound it',
      name: 'rescue',
      instance: instanceOf('m1.small', { ...ACTIVE, image: 'gone' }),
      asked: asks({ action: 'rescue' }),
      error: 'ImageNotFound',
      says: 'Image gone could not be found.',
    },
    {
      what: 'a flavor that the image of the last rebuild does not fit',
      name: 'resize',
      instance: instanceOf('m1.big', { ...ACTIVE, image: 'huge' }),
      error: 'FlavorMemoryTooSmall',
      says: 'image huge needs 99999 MiB.',
    },
    {
      what: 'the host it is on',
      name: 'migrate',
      asked: asks({ host: 'node-1' }),
      error: 'CannotMigrateToSameHost',
      says: 'to node-1: that is the host it is on.',
    },
    {
      what: 'a host that nobody knows',
      name: 'live-migration',
      asked: asks({ host: 'node-9' }),
      error: 'ComputeHostNotFound',
      says: 'Compute host node-9 could not be found.',
    },
    {
      what: 'the host that is down',
      name: 'evacuate',
      asked: asks({ host: 'node-1' }),
      error: 'CannotMigrateToSameHost',
      says: 'that is the host it is on.',
    },
    {
      what: 'an unknown image',
      name: 'rebuild',
      asked: asks({ action: 'rebuild', image: 'none' }),
      error: 'ImageNotFound',
      says: 'Image none could not be found.',
    },
    {
      what: 'an image that the flavor is too small for',
      name: 'rebuild',
      asked: asks({ action: 'rebuild', image: 'wide' }),
      error: 'FlavorDiskSmallerThanMinDisk',
      says: 'flavor m1.small has 10 GiB, image wide needs 15 GiB.',
    },
    {
      what: 'an unknown image',
      name: 'rescue',
      asked: asks({ action: 'rescue', image: 'none' }),
      error: 'ImageNotFound',
      says: 'Image none could not be found.',
    },
    {
      what: 'a name that another image has',
      name: 'createImage',
      asked: asks({ action: 'createImage', imageName: 'debian' }),
      error: 'ImageConflict',
      says: 'Image debian exists already: give the new one another name.',
    },
    {
      what: 'a state it cannot move in',
      name: 'migrate',
      instance: instanceOf('m1.small', { ...ACTIVE, vmState: 'rescued' }),
      asked: asks(),
      error: 'InstanceNotReady',
      says: 'it cannot move while it is rescued',
    },
  ])('$name, for $what', async ({ name, instance = instanceOf(), asked, error, says }) => {
    const refused = preparation.of(instance, name, asked)
    await expect(refused).rejects.toMatchObject({ name: error, outcome: 'terminal' })
    await expect(refused).rejects.toThrow(says)
  })
})

it.each([
  { what: 'nobody knows', node: undefined, known: false, up: false },
  { what: 'reports', node: makeComputeNode(), known: true, up: true },
  { what: 'is down', node: makeComputeNode({ status: { state: 'down' } }), known: true, up: false },
  { what: 'is forced down', node: makeComputeNode({ spec: { forcedDown: true } }), known: true, up: false },
  { what: 'is disabled', node: makeComputeNode({ spec: { disabled: true } }), known: true, up: true },
])('a host that $what is known $known, up $up', ({ node, known, up }) => {
  const told = new ToldInformer(COMPUTE_NODE)
  if (node) told.tell(node)
  const hosts = new HostStates({ nodes: told.informer })
  expect([hosts.isKnown('node-1'), hosts.isUp('node-1')]).toEqual([known, up])
})
