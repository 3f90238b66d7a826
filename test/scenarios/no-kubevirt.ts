import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leave } from './audit.ts'
import { eventually } from './eventually.ts'
import { makeProject } from './instances.ts'
import type { MakeWorld, World } from './world.ts'

const AGENT = 'nova-compute-node-1'

/** KubeVirt is not there yet. */
export function describeNoKubeVirt(makeWorld: MakeWorld): void {
  describe('without KubeVirt', () => {
    let world: World

    beforeAll(async () => {
      world = await makeWorld()
    })
    afterAll(() => leave(world))

    it('an agent says exactly that, waits, and goes on by itself when KubeVirt is installed', async () => {
      await world.services.stop(AGENT)
      await world.kubevirt.uninstall()
      const before = world.services.log(AGENT).length
      const lines = (): readonly string[] => world.services.log(AGENT).slice(before).split('\n')

      const started = world.services.start(AGENT)
      const missing = 'KubeVirt is not installed: no resource virtualmachines.kubevirt.io; waiting for it.'
      await eventually('the agent says what is missing', () => lines().some((line) => line.includes(missing)))
      await world.kubevirt.install()
      await started

      expect(lines().filter((line) => line.includes(missing))).toHaveLength(1)
      expect(lines().find((line) => line.includes(missing))).toContain(' WARNING nova.virt.kubevirt.driver ')
      await eventually('it says that it goes on', () =>
        lines().some((line) => line.includes('KubeVirt can be used now')),
      )
      const project = await makeProject(world)
      await Promise.all(['a', 'b', 'c'].map((name) => project.launch(name)))
    })
  })
}
