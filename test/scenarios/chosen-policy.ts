import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import type { InstanceSpec } from '../../src/apis/v1alpha1/instance.ts'
import { NODE } from '../../src/dev/nodes.ts'
import { leave } from './audit.ts'
import { makeImage } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import type { MakeWorld, World } from './world.ts'

/** Filters and weighers that run only where an operator says so. */
export function describeChosenPolicy(makeWorld: MakeWorld): void {
  describe('filters and weighers that an operator chose', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld({
        env: {
          KILONOVA_ENABLED_FILTERS: 'ComputeFilter,SimpleCIDRAffinityFilter',
          KILONOVA_WEIGHT_MULTIPLIERS: 'ImagePropertiesWeigher=1000',
          KILONOVA_IMAGE_PROPS_WEIGHT_SETTING: 'os_distro=1',
          KILONOVA_UPDATE_RESOURCES_INTERVAL: '0.2',
        },
      })
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    /** Launches it, again and again until the scheduler knows what it needs to. */
    async function untilOn(host: string, name: string, spec: Partial<InstanceSpec>): Promise<void> {
      await eventually(`${name} is on ${host}`, async () => {
        await project.create(name, spec)
        const { status } = await project.until(name, (one) => one.status.taskState === undefined)
        if (status.host === host) return true
        await project.delete(name)
        await project.untilGone(name)
        return false
      })
    }

    it('near an address: a host says where it is, and is chosen by that', async () => {
      const addresses = [{ type: 'InternalIP', address: '10.9.3.1' }]
      await world.client.mergePatch(
        NODE,
        { name: 'node-3' },
        { status: { addresses } },
        { subresource: 'status' },
      )
      await eventually('the host tells its address', async () => {
        const { status } = await world.client.get(COMPUTE_NODE, { name: 'node-3' })
        return status?.hostIp === '10.9.3.1'
      })
      await untilOn('node-3', 'near', { schedulerHints: { build_near_host_ip: '10.9.3.200' } })

      await project.create('far', { schedulerHints: { build_near_host_ip: '10.9.3.200', cidr: '/32' } })
      expect((await project.untilFault('far')).message).toContain(
        'SimpleCIDRAffinityFilter took out 3 (3 with an address outside 10.9.3.200/32)',
      )
      for (const name of ['near', 'far']) await project.delete(name)
      for (const name of ['near', 'far']) await project.untilGone(name)
    })

    it('beside instances of images that are alike', async () => {
      await makeImage(world, 'windows-11', { properties: { os_distro: 'windows' } })
      await makeImage(world, 'windows-12', { properties: { os_distro: 'windows' } })
      await project.launch('first', { image: 'windows-11', requestedHost: 'node-2' })
      await untilOn('node-2', 'second', { image: 'windows-12' })
      await project.launch('other', {})
      expect((await project.get('other')).status.host).not.toBe('node-2')
    })
  })
}
