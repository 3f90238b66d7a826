import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { leave } from '../scenarios/audit.ts'
import { setComputeNode } from '../scenarios/catalogue.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeProject, type Project } from '../scenarios/instances.ts'
import { hostsOf } from '../scenarios/world.ts'
import type { ClusterWorld } from './cluster-world.ts'
import { isAtWork, type Pod, podsOnNode } from './pods.ts'

/**
 * A node is drained with VMs on it that nobody moved away first. Their evictionStrategy is External: KubeVirt refuses to evict a
 * running guest, marks it, and leaves it where it is, as Kilonova does until it is asked to move it. So the drain waits.
 */
export function describeDrain(openWorld: () => Promise<ClusterWorld>): void {
  describe('a node is drained', () => {
    let world: ClusterWorld
    let project: Project
    let node: string

    beforeAll(async () => {
      world = await openWorld()
      project = await makeProject(world)
      node = hostsOf(world)[0] ?? ''
    })
    afterAll(async () => {
      await world.kubectl.run('uncordon', node)
      await setComputeNode(world, node, { disabled: false, disabledReason: null })
      await leave(world)
    })

    it('everything goes from it but running guests, which stay as they are, and launches go elsewhere', async () => {
      await Promise.all(['stays', 'is-off'].map((name) => project.launch(name, { requestedHost: node })))
      await project.patch('is-off', { powerState: 'Shutdown' })
      await project.untilState('is-off', 'stopped')
      const guest = await vmi('stays')

      // First as Nova's operators do, so that the scheduler knows.
      await setComputeNode(world, node, { disabled: true, disabledReason: 'maintenance' })
      const refusal = await drain('3m').then(
        () => 'it was drained',
        (error: Error) => error.message,
      )

      expect(refusal).toContain(`evacuation of VMI "${project.namespace}/stays"`)
      await eventually('all others have left', async () => {
        expect(
          (await movable(node)).map(({ metadata }) => metadata.annotations?.['kubevirt.io/domain']),
        ).toEqual(['stays'])
        return true
      })
      expect((await project.get('stays')).status).toMatchObject({
        host: node,
        vmState: 'active',
        powerState: 'RUNNING',
      })
      const after = await vmi('stays')
      expect(after.metadata.uid).toBe(guest.metadata.uid)
      expect(after.status).toMatchObject({ phase: 'Running', evacuationNodeName: node })
      expect((await project.launch('later')).status.host).not.toBe(node)
    })

    it('its agent goes on: when the guest was shut off, the drain comes to its end', async () => {
      await project.patch('stays', { powerState: 'Shutdown' })
      await project.untilState('stays', 'stopped')

      await drain('5m')

      expect((await movable(node)).map(({ metadata }) => metadata.name)).toEqual([])
    })

    it('after it all is as before: what was off starts there again, and launches find it', async () => {
      await world.kubectl.run('uncordon', node)
      await setComputeNode(world, node, { disabled: false, disabledReason: null })
      await world.workloads.ready('nats')

      for (const name of ['stays', 'is-off']) {
        await project.patch(name, { powerState: 'Running' })
        expect((await project.untilState(name, 'active')).status).toMatchObject({
          host: node,
          powerState: 'RUNNING',
        })
      }
      await project.launch('again', { requestedHost: node })
    })

    async function drain(timeout: string): Promise<void> {
      const flags = ['--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${timeout}`]
      await world.kubectl.run('drain', node, ...flags)
    }

    async function vmi(name: string): Promise<NonNullable<(typeof VIRTUAL_MACHINE_INSTANCE)['object']>> {
      return world.client.get(VIRTUAL_MACHINE_INSTANCE, { namespace: project.namespace, name })
    }

    /** What a drain is about: neither of a DaemonSet nor of the node itself, and not over. */
    async function movable(host: string): Promise<readonly Pod[]> {
      const pods = (await podsOnNode(world.client, host)).filter(isAtWork)
      return pods.filter(
        ({ metadata }) =>
          !metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet' || kind === 'Node'),
      )
    }
  })
}
