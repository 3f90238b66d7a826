import { describe, expect, it } from 'vitest'
import { ConsoleNotAvailable } from '../../common/errors/guest.ts'
import { until } from '../until.ts'
import { ctx, spawned, type Trial } from './trial.ts'

/** What guests write to their serial console. */
export function describeConsole(trial: Trial): void {
  describe('getConsoleOutput', () => {
    it('tells the last lines of what a guest wrote', async () => {
      const guest = await spawned(trial)
      await until('the console can be read', async () => {
        const read = trial.driver.getConsoleOutput(ctx, guest, { lines: 1 })
        return read.then(() => true).catch(() => false)
      })

      const all = await trial.driver.getConsoleOutput(ctx, guest, { lines: 1_000 })
      const lines = all.split('\n')

      expect(lines.length).toBeGreaterThan(3)
      expect(lines.at(-1)).toBe('')
      const last = await trial.driver.getConsoleOutput(ctx, guest, { lines: 2 })
      expect(last.split('\n')).toEqual(lines.slice(-3))
    })

    it('tells what a guest wrote before and after it rebooted itself, and no more after it was started anew', async () => {
      const guest = await spawned(trial)
      const read = async (): Promise<string> =>
        trial.driver.getConsoleOutput(ctx, guest, { lines: 1_000 }).catch(() => '')
      await until('the console can be read', async () => (await read()) !== '')
      const once = await read()

      await trial.driver.softReboot(ctx, guest, { timeoutMs: 60_000 })
      expect(await read()).toBe(`${once}${once}`)

      await trial.driver.hardReboot(ctx, guest)
      await until('the console can be read', async () => (await read()) !== '')
      expect(await read()).toBe(once)
    })

    it('is still there of a guest that is paused', async () => {
      const guest = await spawned(trial)
      await trial.driver.pause(ctx, guest)

      await until('the console can be read', async () => {
        const text = await trial.driver.getConsoleOutput(ctx, guest, { lines: 1 }).catch(() => '')
        return text !== ''
      })
    })

    it('fails for a guest that is off', async () => {
      const guest = await spawned(trial)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      const reading = trial.driver.getConsoleOutput(ctx, guest, { lines: 1 })

      await expect(reading).rejects.toThrow(ConsoleNotAvailable)
    })
  })
}
