import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMPUTE_QUOTA, type ComputeQuotaSpec } from '../../src/apis/v1alpha1/compute-quota.ts'
import { INSTANCE } from '../../src/apis/v1alpha1/instance.ts'
import { SERVER_GROUP, type ServerGroupSpec } from '../../src/apis/v1alpha1/server-group.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { newRequestId, RandomIds } from '../../src/common/ids.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import { BuildRequestResolver } from '../../src/objects/build-request-resolver.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { dryRun } from '../../src/scheduler/dry-run.ts'
import { describeExplanations, explain } from '../../src/scheduler/explain.ts'
import { readManifest } from '../../src/scheduler/manifest.ts'
import { REQUESTING_POD } from '../../src/scheduler/pod-usage.ts'
import { SchedulerRpcApi } from '../../src/scheduler/rpcapi.ts'
import { leave } from './audit.ts'
import { makeFlavor, setComputeNode } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { hostsOf, type MakeWorld, type World } from './world.ts'

/** Where instances go: groups, hints, traits, quotas. */
export function describePlacement(makeWorld: MakeWorld): void {
  describe('placement', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
    })
    afterAll(async () => {
      await leave(world)
    })

    async function group(name: string, spec: ServerGroupSpec): Promise<void> {
      await world.client.create(SERVER_GROUP, {
        apiVersion: apiVersionOf(SERVER_GROUP),
        kind: SERVER_GROUP.kind,
        metadata: { namespace: project.namespace, name },
        spec,
      })
    }

    /** The hosts of instances that are launched at the same time. */
    async function launch(
      names: readonly string[],
      spec: Parameters<Project['create']>[1],
    ): Promise<string[]> {
      await Promise.all(names.map((name) => project.create(name, spec)))
      const made = await Promise.all(names.map((name) => project.untilState(name, 'active')))
      return made.map(({ status }) => status.host ?? '')
    }

    async function remove(...names: readonly string[]): Promise<void> {
      await Promise.all(names.map((name) => project.delete(name)))
      await Promise.all(names.map((name) => project.untilGone(name)))
    }

    describe('by server groups', () => {
      it('anti-affinity: each on another host, however many at once, and none where there is no other', async () => {
        await group('apart', { policy: 'anti-affinity' })
        const spec = { schedulerHints: { group: 'apart' } }
        const hosts = await launch(['apart-1', 'apart-2', 'apart-3'], spec)
        expect(new Set(hosts)).toEqual(new Set(hostsOf(world)))

        await project.create('apart-4', spec)
        const { message } = await project.untilFault('apart-4')
        expect(message).toContain(
          'ServerGroupAntiAffinityFilter took out 3 (3 with 1 of the group apart or more)',
        )
        await remove('apart-1', 'apart-2', 'apart-3', 'apart-4')
      })

      it('anti-affinity with more on a host: so many and no more', async () => {
        await group('pairs', { policy: 'anti-affinity', rules: { maxServerPerHost: 2 } })
        const names = ['p-1', 'p-2', 'p-3', 'p-4', 'p-5', 'p-6']
        const hosts = await launch(names, { schedulerHints: { group: 'pairs' } })
        for (const host of hostsOf(world)) expect(hosts.filter((one) => one === host)).toHaveLength(2)
        await eventually('the group shows its members', async () => {
          const { status } = await world.client.get(SERVER_GROUP, {
            namespace: project.namespace,
            name: 'pairs',
          })
          return status?.members === names.length && status.hosts === hostsOf(world).length
        })
        await remove(...names)
      })

      it('affinity: all on one host', async () => {
        await group('together', { policy: 'affinity' })
        const names = ['t-1', 't-2', 't-3']
        const hosts = await launch(names, { schedulerHints: { group: 'together' } })
        expect(new Set(hosts).size).toBe(1)
        await remove(...names)
      })

      it('soft anti-affinity: on other hosts as long as there are any, then on the same', async () => {
        await group('rather-apart', { policy: 'soft-anti-affinity' })
        const names = ['s-1', 's-2', 's-3', 's-4']
        const hosts = await launch(names, { schedulerHints: { group: 'rather-apart' } })
        expect(new Set(hosts)).toEqual(new Set(hostsOf(world)))
        await remove(...names)
      })

      it('a group that is not there is said to be missing', async () => {
        await project.create('lonely', { schedulerHints: { group: 'nobody' } })
        expect(await project.untilFault('lonely')).toMatchObject({
          code: 404,
          reason: 'InstanceGroupNotFound',
          message: 'Instance group nobody could not be found.',
        })
        await remove('lonely')
      })
    })

    it('by hints: with one instance and away from another, and not where they contradict each other', async () => {
      const [host = ''] = await launch(['first'], {})
      expect(await launch(['beside'], { schedulerHints: { same_host: ['first'] } })).toEqual([host])
      const [other] = await launch(['away'], { schedulerHints: { different_host: ['first'] } })
      expect(other).not.toBe(host)
      await expect(
        project.create('both', { schedulerHints: { same_host: ['first'], different_host: ['first'] } }),
      ).rejects.toThrow('the hints contradict each other')
      await remove('first', 'beside', 'away')
    })

    it('is told beforehand, and nothing is booked; afterwards it can be asked why', async () => {
      const transport = world.broker.connect()
      const ids = new RandomIds()
      const rpc = new RpcClient({ transport, clock: new SystemClock(), ids }, { callTimeoutMs: 10_000 })
      const deps = {
        resolver: new BuildRequestResolver({ client: world.client }),
        scheduler: new SchedulerRpcApi({ rpc }),
      }
      const ask = async (spec: object): ReturnType<typeof dryRun> => {
        const manifest = { apiVersion: apiVersionOf(INSTANCE), kind: INSTANCE.kind, spec }
        const instance = readManifest(JSON.stringify(manifest), project.namespace)
        return dryRun(deps, { requestId: newRequestId(ids), user: '-', project: project.namespace }, instance)
      }
      try {
        const [host = ''] = hostsOf(world)
        const told = await ask({ flavor: 'm1.tiny', image: 'cirros', requestedHost: host })
        expect(told.placement).toMatchObject({ host, considered: 3 })
        expect(told.placement.filters.find(({ name }) => name === 'RequestedHostFilter')).toEqual({
          name: 'RequestedHostFilter',
          removed: 2,
          reasons: [`2 not ${host}, which was asked for`],
        })
        const none = await ask({ flavor: 'm1.tiny', image: 'cirros', availabilityZone: 'pluto' })
        expect(none.placement.host).toBe('')
        expect(none.reason).toContain('AvailabilityZoneFilter took out 3')
        const missing = ask({ flavor: 'm1.tiny', image: 'cirros', schedulerHints: { group: 'nobody' } })
        await expect(missing).rejects.toThrow('Instance group nobody could not be found.')
        expect(await project.all()).toEqual([])
      } finally {
        await transport.close()
      }

      const [host = ''] = await launch(['why'], {})
      await project.actionEnd('why', 'create')
      const [decision, ...others] = await explain(world.client, { namespace: project.namespace, name: 'why' })
      expect(others).toEqual([])
      expect(decision).toMatchObject({
        action: 'create',
        result: 'Success',
        placement: { host, considered: 3 },
      })
      expect(describeExplanations('why', decision ? [decision] : [])).toContain(
        `Host:        ${host}, the best of 3 that passed, of 3 considered`,
      )
      await remove('why')
    })

    it('by what a scheduler that has just begun finds there', async () => {
      await group('before', { policy: 'anti-affinity' })
      const spec = { schedulerHints: { group: 'before' } }
      const [first = ''] = await launch(['before-1'], spec)
      const [second = ''] = await launch(['before-2'], spec)
      await project.patch('before-2', { powerState: 'Shutdown' })
      await project.untilState('before-2', 'stopped')

      await world.services.stop('nova-scheduler')
      await world.services.start('nova-scheduler')

      const [third] = await launch(['before-3'], spec)
      expect(new Set([first, second, third])).toEqual(new Set(hostsOf(world)))
      expect(await launch(['beside-2'], { schedulerHints: { same_host: ['before-2'] } })).toEqual([second])
      const both = { different_host: ['before-1', 'before-2'] }
      expect(await launch(['away-from-both'], { schedulerHints: both })).toEqual([third])
      await remove('before-1', 'before-2', 'before-3', 'beside-2', 'away-from-both')
    })

    it('by the room that other Pods leave on a host, until they end', async () => {
      const [host = ''] = hostsOf(world)
      const pod = { namespace: project.namespace, name: 'database' }
      const requests = { cpu: '1', memory: '30Gi' }
      const database = { name: 'database', image: 'database', resources: { requests } }
      await world.client.create(REQUESTING_POD, {
        apiVersion: apiVersionOf(REQUESTING_POD),
        kind: REQUESTING_POD.kind,
        metadata: pod,
        spec: { nodeName: host, containers: [database] },
      })
      const spec = { flavor: 'm1.medium', requestedHost: host }
      const untilEnds = (what: string, vmState: string): Promise<unknown> =>
        eventually(what, async () => {
          await project.create('tenant', spec)
          const { status } = await project.until('tenant', (one) => one.status.taskState === undefined)
          await remove('tenant')
          return status.vmState === vmState && (status.fault?.message ?? 'placed')
        })

      expect(await untilEnds('there is no room', 'error')).toMatch(
        /ResourceFilter took out 1 \(1 without room: MEMORY_MB 4096 asked, \d+ free\)/,
      )
      await world.client.mergePatch(
        REQUESTING_POD,
        pod,
        { status: { phase: 'Succeeded' } },
        { subresource: 'status' },
      )
      expect(await untilEnds('there is room', 'active')).toBe('placed')
    })

    it('by traits that the flavor asks for', async () => {
      const [, host = ''] = hostsOf(world)
      await makeFlavor(world, 'fast-disks', {
        vcpus: 1,
        memoryMb: 512,
        diskGb: 1,
        extraSpecs: { 'trait:CUSTOM_NVME': 'required' },
      })
      await setComputeNode(world, host, { traits: ['CUSTOM_NVME'] })
      await eventually('the scheduler knows the trait', async () => {
        await project.create('fast', { flavor: 'fast-disks' })
        const { status } = await project.until('fast', (one) => one.status.taskState === undefined)
        if (status.vmState === 'active') return status.host === host
        await remove('fast')
        return false
      })
      expect((await project.get('fast')).status.host).toBe(host)
      await remove('fast')
      await setComputeNode(world, host, { traits: null })
    })

    it('within the quota of its namespace, however many at once, and again when there is room', async () => {
      const small = await makeProject(world)
      const spec: ComputeQuotaSpec = { instances: 2, cores: 100, ram: -1 }
      await world.client.create(COMPUTE_QUOTA, {
        apiVersion: apiVersionOf(COMPUTE_QUOTA),
        kind: COMPUTE_QUOTA.kind,
        metadata: { namespace: small.namespace, name: 'small' },
        spec,
      })
      const names = ['q-1', 'q-2', 'q-3', 'q-4']
      await makeFlavor(world, 'beyond', { vcpus: 1000, memoryMb: 512, diskGb: 1 })
      await eventually('the scheduler knows the quota', async () => {
        await small.create('probe', { flavor: 'beyond' })
        const { reason } = await small.untilFault('probe')
        await small.delete('probe')
        await small.untilGone('probe')
        return reason === 'OverQuota'
      })
      await Promise.all(names.map((name) => small.create(name)))
      const ended = await Promise.all(
        names.map((name) => small.until(name, ({ status }) => status.taskState === undefined)),
      )
      const over = ended.filter(({ status }) => status.vmState === 'error')
      expect(over).toHaveLength(2)
      expect(over[0]?.status.fault).toMatchObject({
        code: 403,
        reason: 'OverQuota',
        message: 'Quota exceeded for resources: instances: 1 asked, 2 of 2 used (ComputeQuota small).',
      })
      await eventually('the quota shows what is used', async () => {
        const { status } = await world.client.get(COMPUTE_QUOTA, {
          namespace: small.namespace,
          name: 'small',
        })
        return status?.used?.instances === 2
      })
      for (const name of names) await small.delete(name)
      await small.untilAllGone()
      await small.create('q-5')
      await small.untilState('q-5', 'active')
      await small.delete('q-5')
      await small.untilGone('q-5')
    })
  })
}
