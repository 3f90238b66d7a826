import { beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_QUOTA, type ComputeQuotaSpec } from '../apis/v1alpha1/compute-quota.ts'
import { SERVER_GROUP, type ServerGroup, type ServerGroupSpec } from '../apis/v1alpha1/server-group.ts'
import { InstanceGroupNotFound, OverQuota } from '../common/errors/scheduling.ts'
import { apiVersionOf } from '../kube/resource.ts'
import type { BuildRequest } from '../objects/build-request.ts'
import { makeComputeNode, makeInstance, makeRequest } from '../testing/builders.ts'
import { SchedulerWorld } from '../testing/scheduler-world.ts'
import { groupKey } from './host-manager.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const ASKED = { ignoreHosts: [], preferHosts: [], maxAlternates: 0 }
let world: SchedulerWorld

beforeEach(() => {
  world = new SchedulerWorld()
  world.start()
  for (const name of ['node-1', 'node-2', 'node-3']) world.nodes.tell(makeComputeNode({ name }))
})

function putGroup(name: string, spec: ServerGroupSpec): ServerGroup {
  const group = {
    apiVersion: apiVersionOf(SERVER_GROUP),
    kind: SERVER_GROUP.kind,
    metadata: { namespace: 'default', name },
    spec,
  }
  world.groups.tell(group)
  return group
}

function bind(name: string, host: string, group?: string, namespace = 'default'): void {
  const spec = group === undefined ? {} : { schedulerHints: { group } }
  world.instances.tell(
    makeInstance({ name, uid: name, namespace, spec, status: { vmState: 'active', host, flavor: FLAVOR } }),
  )
}

function ask(name: string, hints?: BuildRequest['hints']): BuildRequest {
  return makeRequest({ instance: { name, uid: name }, flavor: FLAVOR, hints })
}

function chosen(request: BuildRequest): string | undefined {
  return world.scheduler.select(request, ASKED).host?.host
}

describe('a server group', () => {
  it('counts members as they are claimed, bound, moved and deleted, in its own namespace', () => {
    putGroup('web', { policy: 'anti-affinity' })
    bind('a', 'node-1', 'web')
    bind('other-2', 'node-2', 'web', 'elsewhere')
    bind('other-3', 'node-3', 'web', 'elsewhere')
    expect(chosen(ask('b', { group: 'web' }))).toBe('node-2')

    world.hosts.claim('b', 'node-2', FLAVOR, { project: 'default', group: groupKey('default', 'web') })
    expect(chosen(ask('c', { group: 'web' }))).toBe('node-3')
    world.hosts.settle('b')
    bind('b', 'node-3', 'web')
    expect(chosen(ask('c', { group: 'web' }))).toBe('node-2')
    world.instances.tellGone(makeInstance({ name: 'a', uid: 'a' }))
    expect(chosen(ask('c', { group: 'web' }))).toBe('node-1')
  })

  it('does not hold an instance against itself when it is to move', () => {
    putGroup('web', { policy: 'anti-affinity' })
    for (const [n, host] of ['node-1', 'node-2', 'node-3'].entries()) bind(`m${n}`, host, 'web')
    expect(chosen(ask('m0', { group: 'web' }))).toBe('node-1')
    expect(chosen(ask('new', { group: 'web' }))).toBeUndefined()
  })

  it('that was made a moment ago is read, and one that is not there is said to be missing', async () => {
    const group = putGroup('known', { policy: 'affinity' })
    await expect(world.scheduler.ready(ask('a', { group: 'known' }))).resolves.toBeUndefined()
    await world.client.create(SERVER_GROUP, { ...group, metadata: { namespace: 'default', name: 'new' } })
    await expect(world.scheduler.ready(ask('a', { group: 'new' }))).resolves.toBeUndefined()
    await expect(world.scheduler.ready(ask('a', { group: 'none' }))).rejects.toThrow(InstanceGroupNotFound)
  })

  it('with soft policies prefers, and takes what there is', () => {
    putGroup('near', { policy: 'soft-affinity' })
    putGroup('far', { policy: 'soft-anti-affinity' })
    bind('a', 'node-2', 'near')
    bind('b', 'node-1', 'far')
    expect(chosen(ask('c', { group: 'near' }))).toBe('node-2')
    expect(chosen(ask('d', { group: 'far' }))).toBe('node-3')
  })
})

it('hints name instances of the same namespace, wherever they are this moment', () => {
  bind('a', 'node-2')
  expect(chosen(ask('b', { same_host: ['a'] }))).toBe('node-2')
  bind('a', 'node-3')
  expect(chosen(ask('b', { same_host: ['a'] }))).toBe('node-3')
  expect(chosen(ask('b', { different_host: ['a', 'unknown'] }))).toBe('node-1')
  expect(chosen(ask('b', { same_host: ['unknown'] }))).toBeUndefined()
})

describe('a quota', () => {
  function putQuota(name: string, spec: ComputeQuotaSpec): void {
    world.quotas.tell({
      apiVersion: apiVersionOf(COMPUTE_QUOTA),
      kind: COMPUTE_QUOTA.kind,
      metadata: { namespace: 'default', name },
      spec,
    })
  }
  const check = (name: string, vcpus = 1): void =>
    world.scheduler.checkQuota(makeRequest({ instance: { name, uid: name }, flavor: { ...FLAVOR, vcpus } }))

  it('lets through what fits, to the last', () => {
    putQuota('q', { instances: 2, cores: 4, ram: 1024 })
    bind('a', 'node-1')
    bind('other', 'node-1', undefined, 'elsewhere')
    expect(() => check('b', 3)).not.toThrow()
  })

  it.each([
    [{ instances: 1 }, 1, 'instances: 1 asked, 1 of 1 used (ComputeQuota q).'],
    [{ cores: 3 }, 3, 'cores: 3 asked, 1 of 3 used (ComputeQuota q).'],
    [
      { ram: 1000, cores: 1 },
      1,
      'cores: 1 asked, 1 of 1 used; ram: 512 asked, 512 of 1000 used (ComputeQuota q).',
    ],
  ])('%j refuses what is over it', (spec, vcpus, why) => {
    putQuota('q', spec)
    bind('a', 'node-1')
    expect(() => check('b', vcpus)).toThrow(OverQuota)
    expect(() => check('b', vcpus)).toThrow(`Quota exceeded for resources: ${why}`)
  })

  it('of several each holds; -1 and nothing said are no limit', () => {
    putQuota('wide', { instances: -1 })
    putQuota('narrow', { cores: 1 })
    expect(() => check('a', 2)).toThrow('(ComputeQuota narrow)')
    expect(() => check('a', 1)).not.toThrow()
  })

  it('counts an instance once while it moves, and not against itself', () => {
    putQuota('q', { instances: 2, cores: 4 })
    bind('a', 'node-1')
    world.hosts.claim('a', 'node-2', { ...FLAVOR, vcpus: 3 })
    expect(() => check('b', 2)).toThrow('cores: 2 asked, 3 of 4 used')
    expect(() => check('b', 1)).not.toThrow()
    expect(() => check('a', 4)).not.toThrow()
  })
})

describe('builds that fail on a host', () => {
  const building = (triedHosts: string[]): void => {
    world.instances.tell(
      makeInstance({
        name: 'x',
        uid: 'x',
        status: { vmState: 'building', taskState: 'scheduling', triedHosts },
      }),
    )
  }
  const failedOn = (host: string): number | undefined => world.hosts.stateOf(host)?.failedBuilds

  it('are counted until one does not, and the host is avoided meanwhile', () => {
    building([])
    building(['node-1'])
    building(['node-1', 'node-2'])
    expect([failedOn('node-1'), failedOn('node-2'), failedOn('node-3')]).toEqual([1, 1, 0])
    expect(chosen(ask('new'))).toBe('node-3')

    world.instances.tell(
      makeInstance({ name: 'y', uid: 'y', status: { vmState: 'building', host: 'node-1', flavor: FLAVOR } }),
    )
    bind('y', 'node-1')
    expect(failedOn('node-1')).toBe(0)
  })
})
