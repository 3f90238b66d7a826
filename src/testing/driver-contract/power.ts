import { describe, expect, it } from 'vitest'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { until } from '../until.ts'
import { ctx, HOST, namesOf, stateOf, type Trial } from './trial.ts'

/** How guests are switched off and on. */
export function describePower(trial: Trial): void {
  describe('powerOff', () => {
    it('lets a guest shut itself down', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await trial.driver.getInfo(guest)).toMatchObject({ powerState: 'SHUTDOWN', addresses: [] })
      expect(await namesOf(trial.driver)).toEqual([guest.name])
    })

    it('forces a guest off that does not heed, after the timeout and not before', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.makeStubborn(guest)

      const off = trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
      await until('the guest is asked', () => trial.world.isAskedToShutDown(guest))
      await trial.world.elapse(50_000)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
      await trial.world.elapse(10_000)

      await off
      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('forces a guest off at once when there is no time', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.makeStubborn(guest)

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 0 })

      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('is content with a guest that is off', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('is content with a guest that shut itself down', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.guestPowersOff(guest)
      await until('the driver sees it', async () => (await stateOf(trial.driver, guest)) === 'SHUTDOWN')

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('counts a guest that is not there as off', async () => {
      await expect(
        trial.driver.powerOff(ctx, await trial.makeGuest(), { timeoutMs: 60_000 }),
      ).resolves.toBeUndefined()
    })

    it('goes on where a crashed agent stopped', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.makeStubborn(guest)
      const abort = new AbortController()
      const first = trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000, signal: abort.signal })
      const outcome = expect(first).rejects.toThrow('the agent stops')
      await until('the guest is asked', () => trial.world.isAskedToShutDown(guest))
      abort.abort(new Error('the agent stops'))
      await outcome
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)
      const off = restarted.powerOff(ctx, guest, { timeoutMs: 0 })

      await off
      expect(await stateOf(restarted, guest)).toBe('SHUTDOWN')
    })
  })

  describe('powerOn', () => {
    it('starts a guest that was switched off', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await trial.driver.powerOn(ctx, guest)).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it.each(['guestPowersOff', 'guestCrashes'] as const)('starts a guest after %s', async (event) => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world[event](guest)
      await until('the driver sees it', async () => (await stateOf(trial.driver, guest)) !== 'RUNNING')

      expect(await trial.driver.powerOn(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
    })

    it('leaves a guest alone that runs', async () => {
      const guest = await trial.makeGuest()
      const before = await trial.driver.spawn(ctx, guest)

      expect(await trial.driver.powerOn(ctx, guest)).toEqual(before)
    })

    it('fails when there is no such guest', async () => {
      await expect(trial.driver.powerOn(ctx, await trial.makeGuest())).rejects.toThrow(GuestNotFound)
    })

    it('fails when the guest was removed behind our back', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
      await trial.world.removeGuest(guest)
      await until('the driver sees it', async () => (await stateOf(trial.driver, guest)) === 'NOSTATE')

      await expect(trial.driver.powerOn(ctx, guest)).rejects.toThrow(GuestNotFound)
      expect(await stateOf(trial.driver, guest)).toBe('NOSTATE')
    })

    it('fails for an instance whose name another one has now', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)

      await expect(trial.driver.powerOn(ctx, await trial.makeNamesake(guest))).rejects.toThrow(GuestNotFound)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })
  })
}
