import { describe, expect, it } from 'vitest'
import { GuestOperationFailure, NotSupported } from '../../common/errors/guest.ts'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { until } from '../until.ts'
import { ctx, hear, HOST, OTHER_HOST, seen, spawned, stateOf, type Trial } from './trial.ts'

/** How guests are held and let go on, with their memory kept where it is or saved. */
export function describePause(trial: Trial): void {
  describe('pause and unpause', () => {
    it('hold a guest, and let it go on where it was', async () => {
      const guest = await spawned(trial)
      const before = await trial.driver.getInfo(guest)
      const run = await trial.world.runOf(guest)
      const heard = hear(trial.driver, guest)

      await trial.driver.pause(ctx, guest)
      expect(await trial.driver.getInfo(guest)).toEqual({ ...before, powerState: 'PAUSED' })
      await trial.driver.unpause(ctx, guest)

      expect(await trial.driver.getInfo(guest)).toEqual(before)
      expect(await trial.world.runOf(guest)).toBe(run)
      await until('both are told', () => heard.length === 2)
      expect(heard).toEqual(['PAUSED', 'RUNNING'])
    })

    it('are content with what is so already', async () => {
      const guest = await spawned(trial)
      await trial.driver.unpause(ctx, guest)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')

      await trial.driver.pause(ctx, guest)
      await trial.driver.pause(ctx, guest)
      expect(await stateOf(trial.driver, guest)).toBe('PAUSED')
    })

    it('called twice at the same time do it once', async () => {
      const guest = await spawned(trial)

      await Promise.all([trial.driver.pause(ctx, guest), trial.driver.pause(ctx, guest)])
      expect(await stateOf(trial.driver, guest)).toBe('PAUSED')
      await Promise.all([trial.driver.unpause(ctx, guest), trial.driver.unpause(ctx, guest)])
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('are known to an agent that was started again', async () => {
      const guest = await spawned(trial)
      await trial.driver.pause(ctx, guest)
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await stateOf(restarted, guest)).toBe('PAUSED')
      await restarted.unpause(ctx, guest)
      expect(await stateOf(restarted, guest)).toBe('RUNNING')
    })

    it.each(['pause', 'unpause'] as const)('%s fails for a guest that is off', async (method) => {
      const guest = await spawned(trial)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      await expect(trial.driver[method](ctx, guest)).rejects.toThrow(GuestOperationFailure)
      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('leave a paused guest to be forced off at once, however long it may take', async () => {
      const guest = await spawned(trial)
      await trial.driver.pause(ctx, guest)

      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('leave a paused guest paused when it is to be started', async () => {
      const guest = await spawned(trial)
      await trial.driver.pause(ctx, guest)

      expect(await trial.driver.powerOn(ctx, guest)).toMatchObject({ powerState: 'PAUSED' })
    })

    it('leave a paused guest to be removed at once', async () => {
      const guest = await spawned(trial)
      await trial.driver.pause(ctx, guest)

      await trial.driver.destroy(ctx, guest)

      expect(await trial.world.exists(guest)).toBe(false)
    })
  })

  describe('suspend and resume', () => {
    it('save a guest and bring it back, or say that nobody can and touch nothing', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)

      if (trial.world.canSuspend) {
        await trial.driver.suspend(ctx, guest)
        await trial.driver.suspend(ctx, guest)
        expect(await trial.driver.getInfo(guest)).toMatchObject({ powerState: 'SUSPENDED', addresses: [] })
        await trial.driver.resume(ctx, guest)
        await trial.driver.resume(ctx, guest)
      } else {
        await expect(trial.driver.suspend(ctx, guest)).rejects.toThrow(NotSupported)
        await expect(trial.driver.resume(ctx, guest)).rejects.toThrow(NotSupported)
      }

      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
      expect(await trial.world.runOf(guest)).toBe(run)
    })
  })

  describe.each([
    'pause',
    'unpause',
    'softReboot',
    'hardReboot',
    'rescue',
    'unrescue',
    'getConsoleOutput',
  ] as const)('%s', (method) => {
    const options = { timeoutMs: 1_000, powerOn: true, lines: 10, disk: RESCUE_DISK }

    it('fails when there is no such guest', async () => {
      const guest = await trial.makeGuest()

      await expect(trial.driver[method](ctx, guest, options)).rejects.toThrow(GuestNotFound)
    })

    it('fails when the guest was removed behind our back', async () => {
      const guest = await spawned(trial)
      await trial.world.removeGuest(guest)
      await seen(trial.driver, guest, 'NOSTATE')

      await expect(trial.driver[method](ctx, guest, options)).rejects.toThrow(GuestNotFound)
    })

    it('does not touch a guest on another host', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)
      const other = await trial.world.driver(OTHER_HOST)

      await expect(other[method](ctx, guest, options)).rejects.toThrow(GuestNotFound)
      expect(await trial.world.runOf(guest)).toBe(run)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('does not touch a later instance of the same name', async () => {
      const guest = await spawned(trial)

      const namesake = await trial.makeNamesake(guest)
      await expect(trial.driver[method](ctx, namesake, options)).rejects.toThrow(GuestNotFound)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })
  })
}

const RESCUE_DISK = { kind: 'containerDisk', image: 'rescue-image' } as const
