import { beforeEach, describe, expect, it } from 'vitest'
import type { ImageSpec } from '../apis/v1alpha1/image.ts'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { makeComputeNode, makeImage, makeInstance, makeRequest } from '../testing/builders.ts'
import { DEFAULT_POLICY, SchedulerWorld } from '../testing/scheduler-world.ts'
import { InstanceTrimmer } from './trim-instance.ts'
import { makeWeighers } from './weighers/registry.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
let world: SchedulerWorld

beforeEach(() => {
  const weighers = makeWeighers({ ImagePropertiesWeigher: 100 })
  world = new SchedulerWorld({
    policy: { ...DEFAULT_POLICY, weighers },
    trim: new InstanceTrimmer().trim,
    readsImages: true,
  })
  world.start()
  for (const name of ['node-1', 'node-2', 'node-3']) world.nodes.tell(makeComputeNode({ name }))
})

function putImage(name: string, properties: ImageSpec['properties']): void {
  world.images.tell(makeImage({ name, properties }))
}

function putInstance(name: string, image: string, status: InstanceStatus): void {
  world.instances.tell(
    makeInstance({
      name,
      uid: name,
      spec: { image },
      status: { vmState: 'active', flavor: FLAVOR, ...status },
    }),
  )
}

function on(host: string): object {
  return Object.fromEntries(world.hosts.stateOf(host)?.imageProperties ?? [])
}

describe('the images of the instances of a host', () => {
  beforeEach(() => {
    putImage('debian', { os_distro: 'debian', hw_machine_type: 'q35' })
    putImage('windows', { os_distro: 'windows', hw_machine_type: 'q35' })
  })

  it('are counted by their properties', () => {
    putInstance('a', 'debian', { host: 'node-1' })
    putInstance('b', 'debian', { host: 'node-1', vmState: 'stopped' })
    putInstance('c', 'windows', { host: 'node-1' })
    putInstance('d', 'windows', { host: 'node-2' })
    expect(on('node-1')).toEqual({ 'os_distro=debian': 2, 'os_distro=windows': 1, 'hw_machine_type=q35': 3 })
    expect(on('node-2')).toEqual({ 'os_distro=windows': 1, 'hw_machine_type=q35': 1 })
    expect(on('node-3')).toEqual({})
  })

  it('are counted at both ends of a move, then where it went, and not when it is gone', () => {
    const migration = {
      type: 'migration',
      status: 'running',
      sourceHost: 'node-1',
      destHost: 'node-2',
      oldVmState: 'active',
    } as const
    const windows = { 'os_distro=windows': 1, 'hw_machine_type=q35': 1 }
    putInstance('a', 'windows', { host: 'node-1', taskState: 'migrating', migration })
    expect([on('node-1'), on('node-2')]).toEqual([windows, windows])
    putInstance('a', 'windows', { host: 'node-2' })
    expect([on('node-1'), on('node-2')]).toEqual([{}, windows])
    world.instances.tellGone(makeInstance({ name: 'a', uid: 'a' }))
    expect(on('node-2')).toEqual({})
  })

  it('are others after a rebuild', () => {
    putInstance('a', 'debian', { host: 'node-1' })
    putInstance('a', 'windows', { host: 'node-1' })
    expect(on('node-1')).toEqual({ 'os_distro=windows': 1, 'hw_machine_type=q35': 1 })
  })

  it('count for what they are now, whenever that is known', () => {
    putInstance('a', 'late', { host: 'node-1' })
    expect(on('node-1')).toEqual({})
    putImage('late', { os_distro: 'debian' })
    expect(on('node-1')).toEqual({ 'os_distro=debian': 1 })
    putImage('late', { os_distro: 'windows' })
    expect(on('node-1')).toEqual({ 'os_distro=windows': 1 })
  })

  it('draw others to them by ImagePropertiesWeigher', () => {
    putInstance('a', 'windows', { host: 'node-2' })
    putInstance('b', 'debian', { host: 'node-3' })
    const asked = { ignoreHosts: [], preferHosts: [], maxAlternates: 0 }
    const chosen = (os_distro: string): string | undefined =>
      world.scheduler.select(makeRequest({ properties: { os_distro } }), asked).host?.host
    expect([chosen('windows'), chosen('debian'), chosen('cirros')]).toEqual(['node-2', 'node-3', 'node-1'])
  })
})

it('nothing is known of images where no weigher asks', () => {
  world = new SchedulerWorld()
  world.start()
  world.nodes.tell(makeComputeNode({ name: 'node-1' }))
  expect(world.hosts.stateOf('node-1')).toMatchObject({ imageProperties: undefined })
})
