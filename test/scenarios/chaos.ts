import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leave } from './audit.ts'
import { Bookings } from './bookings.ts'
import { makeProject, type Project } from './instances.ts'
import { randomFrom } from './random.ts'
import { BREAKABLE, type MakeWorld, type World } from './world.ts'

const ROUNDS = 12

/** Everything above at once: users who go on as if nothing were, while one thing after the other breaks. */
export function describeChaos(makeWorld: MakeWorld): void {
  describe('under fire', () => {
    let world: World
    let project: Project
    let bookings: Bookings

    beforeAll(async () => {
      world = await makeWorld(BREAKABLE)
      project = await makeProject(world)
      bookings = await Bookings.of(world)
      await bookings.start()
    })
    afterAll(async () => {
      await bookings.stop()
      await leave(world)
    })

    it('every operation that was accepted ends as it should', async () => {
      const random = randomFrom(20_261_122)
      const wanted = new Map<string, 'active' | 'stopped' | 'gone'>()
      const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]

      for (let round = 0; round < ROUNDS; round++) {
        for (const index of [0, 1, 2]) {
          const name = `web-${round}-${index}`
          await project.create(name)
          wanted.set(name, 'active')
        }
        const victim = pick(world.services.names) ?? ''
        await world.services.kill(victim)
        const name = pick([...wanted.keys()].filter((one) => wanted.get(one) !== 'gone')) ?? ''
        if (random() < 0.4) {
          await project.delete(name)
          wanted.set(name, 'gone')
        } else {
          const powerState = wanted.get(name) === 'active' ? 'Shutdown' : 'Running'
          // Refused while something else is being done to it: then nothing is wanted of it that was not before.
          const accepted = await project.patch(name, { powerState }).then(
            () => true,
            () => false,
          )
          if (accepted) wanted.set(name, powerState === 'Running' ? 'active' : 'stopped')
        }
        if (random() < 0.2) await world.broker.goAway()
        if (random() < 0.1) await world.broker.wipe()
        // It cannot start before the broker is back.
        const started = world.services.start(victim)
        await world.broker.comeBack()
        await started
      }

      for (const [name, state] of wanted) {
        if (state === 'gone') await project.untilGone(name)
        else await project.untilState(name, state)
      }
      expect(bookings.wrongs).toEqual([])
      for (const { metadata } of await project.all()) expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    })
  })
}
