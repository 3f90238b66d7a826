import { describe, expect, it } from 'vitest'
import { GuestOperationFailure } from '../../common/errors/guest.ts'
import type { GuestSpec, PowerState } from '../../virt/driver.ts'
import { until } from '../until.ts'
import { ctx, HOST, seen, spawned, stateOf, type Trial } from './trial.ts'

/** How guests are started anew. */
export function describeReboot(trial: Trial): void {
  describe('softReboot', () => {
    it('has the guest reboot itself, in the same run', async () => {
      const guest = await spawned(trial)
      const before = { info: await trial.driver.getInfo(guest), run: await trial.world.runOf(guest) }

      await trial.driver.softReboot(ctx, guest, { timeoutMs: 60_000 })

      expect(await trial.world.rebootsOf(guest)).toBe(1)
      expect(await trial.driver.getInfo(guest)).toEqual(before.info)
      expect(await trial.world.runOf(guest)).toBe(before.run)
    })

    it('leaves a guest running that does not react, and says so where that can be seen', async () => {
      const guest = await spawned(trial)
      await trial.world.makeStubborn(guest)
      const run = await trial.world.runOf(guest)

      const rebooting = trial.driver.softReboot(ctx, guest, { timeoutMs: 60_000 })
      if (trial.world.seesReboots) {
        const refused = expect(rebooting).rejects.toThrow(GuestOperationFailure)
        await trial.world.elapse(60_000)
        await refused
      } else {
        await rebooting
      }

      expect(await trial.world.rebootsOf(guest)).toBe(0)
      expect(await trial.world.runOf(guest)).toBe(run)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it.each(['off', 'paused'] as const)('fails for a guest that is %s', async (how) => {
      const guest = await spawned(trial)
      if (how === 'off') await trial.driver.powerOff(ctx, guest, { timeoutMs: 0 })
      else await trial.driver.pause(ctx, guest)

      const rebooting = trial.driver.softReboot(ctx, guest, { timeoutMs: 60_000 })

      await expect(rebooting).rejects.toThrow(GuestOperationFailure)
      expect(await stateOf(trial.driver, guest)).toBe(how === 'off' ? 'SHUTDOWN' : 'PAUSED')
    })
  })

  describe('hardReboot', () => {
    it('starts a guest anew that hears nothing, without a wait for it', async () => {
      const guest = await spawned(trial)
      await trial.world.makeStubborn(guest)
      const run = await trial.world.runOf(guest)

      const info = await trial.driver.hardReboot(ctx, guest)

      expect(info).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
      expect(info.addresses).toHaveLength(1)
      expect(await trial.driver.getInfo(guest)).toEqual(info)
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it('starts a guest anew that hangs in its shutdown', async () => {
      const guest = await spawned(trial)
      await trial.world.makeStubborn(guest)
      const abort = new AbortController()
      const off = trial.driver.powerOff(ctx, guest, { timeoutMs: 600_000, signal: abort.signal })
      const given = expect(off).rejects.toThrow('given up')
      await until('the guest is asked', () => trial.world.isAskedToShutDown(guest))
      abort.abort(new Error('given up'))
      await given
      const run = await trial.world.runOf(guest)

      expect(await trial.driver.hardReboot(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it.each([
      {
        state: 'PAUSED',
        bring: async (guest) => trial.driver.pause(ctx, guest),
      },
      {
        state: 'SHUTDOWN',
        bring: async (guest) => trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 }),
      },
      {
        state: 'SHUTDOWN',
        bring: async (guest) => trial.world.guestPowersOff(guest),
      },
      {
        state: 'CRASHED',
        bring: async (guest) => trial.world.guestCrashes(guest),
      },
    ] satisfies readonly {
      state: PowerState
      bring: (guest: GuestSpec) => Promise<void>
    }[])('starts a guest anew that is $state', async ({ state, bring }) => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)
      await bring(guest)
      await seen(trial.driver, guest, state)

      expect(await trial.driver.hardReboot(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it('goes on where a crashed agent stopped', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)
      const abort = new AbortController()
      trial.driver.onLifecycleEvent(() => abort.abort(new Error('the agent stops')))
      await expect(trial.driver.hardReboot(ctx, guest, { signal: abort.signal })).rejects.toThrow(
        'the agent stops',
      )
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await restarted.hardReboot(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it('gives up with the reason of its signal', async () => {
      const guest = await spawned(trial)
      const signal = AbortSignal.abort(new Error('too late'))
      const run = await trial.world.runOf(guest)

      await expect(trial.driver.hardReboot(ctx, guest, { signal })).rejects.toThrow('too late')
      expect(await trial.world.runOf(guest)).toBe(run)
    })
  })
}
