import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leave } from './audit.ts'
import { setGuests } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import type { MakeWorld, World } from './world.ts'

/** More builds on a host than it does at once. */
export function describeBuildSlots(makeWorld: MakeWorld): void {
  describe('a build that waits for its turn on its host', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld({
        nodes: 1,
        env: { KILONOVA_MAX_CONCURRENT_BUILDS: '1', KILONOVA_REDRIVE_AFTER: '0.5' },
      })
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    it('is in line once, can be deleted at once, and is built when its turn comes', async () => {
      await setGuests(world, 'node-1', 'never-boots')
      await project.create('slow')
      await eventually('it has a VM', () => project.virtualMachine('slow'))
      const waiting = ['unwanted', 'patient']
      for (const name of waiting) {
        await project.create(name)
        await project.until(name, ({ status }) => status.host === 'node-1')
      }
      // Sent again and again while nothing moves: what is held is one message for each of the three builds.
      for (const name of waiting) {
        const { metadata } = await project.get(name)
        await eventually(`${name} was sent again, and again`, () => drops(metadata.uid) >= 2)
      }
      await eventually('one message for each build is held', async () => (await world.broker.stored()) <= 3)

      await project.delete('unwanted')
      await project.untilGone('unwanted')
      expect((await project.actionEnd('unwanted', 'delete')).status?.result).toBe('Success')
      for (const name of ['slow', 'patient']) {
        expect((await project.get(name)).status).toMatchObject({ vmState: 'building', taskState: 'spawning' })
      }
      expect((await project.virtualMachines()).map(({ metadata }) => metadata.name)).toEqual(['slow'])

      await setGuests(world, 'node-1', null)
      await project.delete('slow')
      await project.untilGone('slow')
      await project.untilState('patient', 'active')
    })

    function drops(uid: string | undefined): number {
      return world.services
        .log('nova-compute-node-1')
        .split('\n')
        .filter((line) => line.includes(`[instance: ${uid}] Dropped a message whose work is under way`))
        .length
    }
  })
}
