import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bookings } from '../scenarios/bookings.ts'
import { setGuests } from '../scenarios/catalogue.ts'
import { eventually } from '../scenarios/eventually.ts'
import { makeProject } from '../scenarios/instances.ts'
import type { World } from '../scenarios/world.ts'
import { makeRealWorld } from './real-world.ts'
import { setupNeeded } from './setup-needed.ts'

const HOSTS = ['node-1', 'node-2', 'node-3']

/** Longer than any test: what is not handed back is not done, and nobody sends it again. */
const FOR_EVER = '3600'

describe.skipIf(setupNeeded() !== undefined)('a service is told to stop in the middle of launches', () => {
  let world: World
  let bookings: Bookings

  beforeAll(async () => {
    const env = {
      KILONOVA_ACK_WAIT: FOR_EVER,
      KILONOVA_REDRIVE_AFTER: FOR_EVER,
      // Nobody dies here: an answer comes, if late.
      KILONOVA_RPC_RESPONSE_TIMEOUT: '10',
    }
    world = await makeRealWorld({ bootTimeMs: 300, env })
    bookings = await Bookings.of(world)
    await bookings.start()
  })
  afterAll(async () => {
    await bookings?.stop()
    await world?.stop()
  })

  const untilNothingIsStored = async (): Promise<void> => {
    await eventually('every message is settled', async () => (await world.broker.stored()) === 0)
  }

  it.each(['nova-api', 'nova-scheduler', 'nova-conductor'])(
    '%s, with a second one: that one goes on, and every launch ends active',
    async (service) => {
      const second = `${service}-2`
      const project = await makeProject(world)
      await world.services.start(second)
      const names = Array.from({ length: 12 }, (_, index) => `web-${index}`)
      await Promise.all(names.map((name) => project.create(name)))
      await project.until('web-0', ({ status }) => status.host !== undefined)
      const before = world.services.log(service).length

      await world.services.stop(service)
      await project.create('late')

      for (const name of [...names, 'late']) {
        const { metadata } = await project.untilState(name, 'active')
        expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
      }
      await untilNothingIsStored()
      expect(world.services.log(service).slice(before)).toMatch(
        / INFO nova\.service \[.*\] Stopping service=/,
      )
      expect(bookings.wrongs).toEqual([])
      await world.services.start(service)
      await world.services.stop(second)
    },
  )

  it('an agent: its successor goes on with what it had begun', async () => {
    const project = await makeProject(world)
    await Promise.all(HOSTS.map((host) => setGuests(world, host, 'never-boots')))
    const names = Array.from({ length: 6 }, (_, index) => `web-${index}`)
    await Promise.all(names.map((name) => project.create(name)))
    for (const name of names) {
      await eventually(`${name} has a VM`, () => project.virtualMachine(name))
    }

    await Promise.all(HOSTS.map((host) => world.services.stop(`nova-compute-${host}`)))
    await Promise.all(HOSTS.map((host) => setGuests(world, host, null)))
    await Promise.all(HOSTS.map((host) => world.services.start(`nova-compute-${host}`)))

    for (const name of names) {
      const { metadata, status } = await project.untilState(name, 'active')
      expect(status.attempt).toBe(1)
      expect(await bookings.vmsSeen(metadata.uid)).toBe(1)
    }
    await untilNothingIsStored()
    expect(bookings.wrongs).toEqual([])
  })
})
