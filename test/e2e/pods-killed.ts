import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leave } from '../scenarios/audit.ts'
import { Bookings } from '../scenarios/bookings.ts'
import { makeProject, type Project } from '../scenarios/instances.ts'
import type { ClusterWorld } from './cluster-world.ts'
import { Traffic } from './traffic.ts'
import { COMPONENTS } from './workloads.ts'

/** Pods die and Pods are replaced, and nobody is told. */
export function describePods(openWorld: () => Promise<ClusterWorld>): void {
  describe('the Pods of a service', () => {
    let world: ClusterWorld
    let project: Project
    let bookings: Bookings

    beforeAll(async () => {
      world = await openWorld()
      bookings = await Bookings.of(world, 'real')
      await bookings.start()
    })
    beforeEach(async () => {
      project = await makeProject(world)
    })
    afterEach(() => {
      expect(bookings.wrongs).toEqual([])
    })
    afterAll(async () => {
      await bookings.stop()
      await leave(world)
    })

    it.each(COMPONENTS)(
      '%s are killed, one after the other, during launches: each ends as it should',
      async (component) => {
        const launched: string[] = []
        for (const [index, pod] of (await world.workloads.pods(component)).entries()) {
          const name = `web-${index}`
          await project.create(name)
          launched.push(name)
          await project.until(
            name,
            ({ status }) => status.taskState !== undefined || status.vmState === 'active',
          )
          await world.workloads.kill(pod)
          // The next one only when this one is back, as a NATS cluster lives as long as most of its servers do.
          await world.workloads.ready(component)
        }

        expect(launched).not.toEqual([])
        for (const name of launched) {
          const { metadata } = await project.untilState(name, 'active')
          expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
        }
        await Promise.all(launched.map((name) => project.delete(name)))
        await project.untilAllGone()
        expect(await project.virtualMachines()).toEqual([])
      },
    )

    it('are all replaced during traffic: every operation ends as it should', async () => {
      const before = await Promise.all(COMPONENTS.map((component) => world.workloads.pods(component)))
      const traffic = new Traffic(project, bookings)
      traffic.start(2)

      for (const component of COMPONENTS) await world.workloads.rollOut(component)

      expect(await traffic.end()).toBeGreaterThanOrEqual(2)
      const after = await Promise.all(COMPONENTS.map((component) => world.workloads.pods(component)))
      const old = new Set(before.flat().map(({ metadata }) => metadata.uid))
      expect(after.flat().filter(({ metadata }) => old.has(metadata.uid))).toEqual([])
      expect(await project.all()).toEqual([])
    })
  })
}
