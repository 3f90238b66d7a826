import { describe, expect, it } from 'vitest'
import type { LifecycleEvent } from '../../virt/driver.ts'
import { until } from '../until.ts'
import { ctx, hear, HOST, namesOf, OTHER_HOST, stateOf, type Trial } from './trial.ts'

/** What a host has and tells of its guests, and how they go. */
export function describeLifetime(trial: Trial): void {
  describe('getAvailableResource', () => {
    it('tells what the host has', async () => {
      const resources = await trial.driver.getAvailableResource()

      expect(resources.vcpus).toBeGreaterThan(0)
      expect(resources.memoryMb).toBeGreaterThan(0)
      expect(resources.diskGb).toBeGreaterThanOrEqual(0)
      expect(['x86_64', 'aarch64', 's390x']).toContain(resources.architecture)
      expect(['kvm', 'qemu', 'fake']).toContain(resources.hypervisorType)
    })
  })

  describe('listInstances', () => {
    it("lists this host's guests alone, also after a restart", async () => {
      const [here, there] = [await trial.makeGuest(), await trial.makeGuest()]
      await trial.world.putForeign(await trial.makeGuest())
      const other = await trial.world.driver(OTHER_HOST)
      await Promise.all([trial.driver.spawn(ctx, here), other.spawn(ctx, there)])
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await namesOf(restarted)).toEqual([here.name])
      expect(await namesOf(other)).toEqual([there.name])
      expect(await stateOf(restarted, there)).toBe('NOSTATE')
    })
  })

  describe('destroy', () => {
    it.each([60_000, undefined])('removes a guest (switched off before: %s)', async (timeoutMs) => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      if (timeoutMs !== undefined) await trial.driver.powerOff(ctx, guest, { timeoutMs })

      await trial.driver.destroy(ctx, guest)

      expect(await trial.world.exists(guest)).toBe(false)
      expect(await stateOf(trial.driver, guest)).toBe('NOSTATE')
      expect(await namesOf(trial.driver)).toEqual([])
    })

    it('may be called twice, and for a guest that never was', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.driver.destroy(ctx, guest)

      await expect(trial.driver.destroy(ctx, guest)).resolves.toBeUndefined()
      await expect(trial.driver.destroy(ctx, await trial.makeGuest())).resolves.toBeUndefined()
    })

    it('does not touch a machine of somebody else', async () => {
      const guest = await trial.makeGuest()
      await trial.world.putForeign(guest)

      await trial.driver.destroy(ctx, guest)

      expect(await trial.world.isForeignIntact(guest)).toBe(true)
    })

    it('does not touch a later instance of the same name', async () => {
      const guest = await trial.makeGuest()
      const namesake = await trial.makeNamesake(guest)
      await trial.driver.spawn(ctx, namesake)

      await trial.driver.destroy(ctx, guest)

      expect(await stateOf(trial.driver, namesake)).toBe('RUNNING')
    })

    it('does not touch a guest that has moved to another host', async () => {
      const guest = await trial.makeGuest()
      const other = await trial.world.driver(OTHER_HOST)
      await other.spawn(ctx, guest)

      await trial.driver.destroy(ctx, guest)

      expect(await stateOf(other, guest)).toBe('RUNNING')
    })
  })

  describe('lifecycle events', () => {
    it('tell each change of power state once', async () => {
      const guest = await trial.makeGuest()
      const heard = hear(trial.driver, guest)

      await trial.driver.spawn(ctx, guest)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
      await trial.driver.powerOn(ctx, guest)
      await trial.driver.destroy(ctx, guest)

      await until('the guest is gone', () => heard.at(-1) === 'NOSTATE')
      // A guest that is destroyed may be seen to go off first.
      const expected = ['RUNNING', 'SHUTDOWN', 'RUNNING']
      expect(heard.slice(0, 3)).toEqual(expected)
      expect([['NOSTATE'], ['SHUTDOWN', 'NOSTATE']]).toContainEqual(heard.slice(3))
    })

    it.each([
      { event: 'guestPowersOff', state: 'SHUTDOWN' },
      { event: 'guestCrashes', state: 'CRASHED' },
      { event: 'removeGuest', state: 'NOSTATE' },
    ] as const)('tell $state after $event', async ({ event, state }) => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      const heard = hear(trial.driver, guest)

      await trial.world[event](guest)

      await until(`${state} is told`, () => heard.includes(state))
      expect(await stateOf(trial.driver, guest)).toBe(state)
    })

    it('tell SHUTDOWN and not CRASHED when we forced the guest off', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.makeStubborn(guest)
      const heard = hear(trial.driver, guest)

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 0 })

      await until('SHUTDOWN is told', () => heard.length > 0)
      expect(heard).toEqual(['SHUTDOWN'])
    })

    it('are not told of guests on another host, nor after the listener left', async () => {
      const guest = await trial.makeGuest()
      const other = await trial.world.driver(OTHER_HOST)
      const heard = hear(other, guest)
      const left: LifecycleEvent[] = []
      trial.driver.onLifecycleEvent((event) => left.push(event))()

      await trial.driver.spawn(ctx, guest)
      await trial.driver.destroy(ctx, guest)

      expect(heard).toEqual([])
      expect(left).toEqual([])
    })
  })
}
