import { describe, expect, it } from 'vitest'
import { InstanceDeployFailure, InstanceExists } from '../../common/errors/guest.ts'
import { until } from '../until.ts'
import { ctx, HOST, namesOf, OTHER_HOST, stateOf, type Trial } from './trial.ts'

/** How guests are made. */
export function describeSpawn(trial: Trial): void {
  describe('spawn', () => {
    it('makes a guest that runs and has an address', async () => {
      const guest = await trial.makeGuest()

      const info = await trial.driver.spawn(ctx, guest)

      expect(info).toMatchObject({ name: guest.name, uid: guest.uid, powerState: 'RUNNING' })
      expect(info.addresses.map(({ address }) => address)).toEqual([expect.stringMatching(/^[\d.]+$/)])
      expect(await trial.driver.getInfo(guest)).toEqual(info)
    })

    it('called twice takes over the guest it made', async () => {
      const guest = await trial.makeGuest()
      const first = await trial.driver.spawn(ctx, guest)

      expect(await trial.driver.spawn(ctx, guest)).toEqual(first)
      expect(await namesOf(trial.driver)).toEqual([guest.name])
    })

    it('called twice at the same time makes one guest', async () => {
      const guest = await trial.makeGuest()

      const [first, second] = await Promise.all([
        trial.driver.spawn(ctx, guest),
        trial.driver.spawn(ctx, guest),
      ])

      expect(first).toEqual(second)
    })

    it('takes over a guest that a crashed agent had begun', async () => {
      const guest = await trial.makeGuest()
      const before = await trial.driver.spawn(ctx, guest)
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await restarted.spawn(ctx, guest)).toEqual(before)
    })

    it('takes over a guest as it is that shut itself down meanwhile', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      await trial.world.guestPowersOff(guest)
      await until('the driver sees it', async () => (await stateOf(trial.driver, guest)) === 'SHUTDOWN')

      expect(await trial.driver.spawn(ctx, guest)).toMatchObject({ uid: guest.uid, powerState: 'SHUTDOWN' })
    })

    it('refuses a name under which a machine of somebody else stands, and leaves that alone', async () => {
      const guest = await trial.makeGuest()
      await trial.world.putForeign(guest)

      await expect(trial.driver.spawn(ctx, guest)).rejects.toThrow(InstanceExists)
      expect(await trial.world.isForeignIntact(guest)).toBe(true)
      expect(await stateOf(trial.driver, guest)).toBe('NOSTATE')
    })

    it('refuses a name that another instance still has', async () => {
      const guest = await trial.makeGuest()
      const namesake = await trial.makeNamesake(guest)
      await trial.driver.spawn(ctx, guest)

      await expect(trial.driver.spawn(ctx, namesake)).rejects.toThrow(InstanceExists)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
      expect(await stateOf(trial.driver, namesake)).toBe('NOSTATE')
    })

    it('fails while the guest is still on another host, and leaves it alone', async () => {
      const guest = await trial.makeGuest()
      await trial.driver.spawn(ctx, guest)
      const other = await trial.world.driver(OTHER_HOST)

      await expect(other.spawn(ctx, guest)).rejects.toThrow(InstanceDeployFailure)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('makes a new guest under the name of one that was deleted', async () => {
      const guest = await trial.makeGuest()
      const namesake = await trial.makeNamesake(guest)
      await trial.driver.spawn(ctx, guest)
      await trial.driver.destroy(ctx, guest)

      expect(await trial.driver.spawn(ctx, namesake)).toMatchObject({
        uid: namesake.uid,
        powerState: 'RUNNING',
      })
      expect(await stateOf(trial.driver, guest)).toBe('NOSTATE')
    })

    it('gives up with the reason of its signal, and what it left can be destroyed', async () => {
      const guest = await trial.makeGuest()
      const abort = new AbortController()
      trial.world.holdBoot()
      const spawning = trial.driver.spawn(ctx, guest, { signal: abort.signal })
      const outcome = expect(spawning).rejects.toThrow('the instance is deleted')
      await until('the guest is made', () => trial.world.exists(guest))

      abort.abort(new Error('the instance is deleted'))

      await outcome
      await trial.driver.destroy(ctx, guest)
      expect(await trial.world.exists(guest)).toBe(false)
    })

    it('rejects at once when its signal is aborted already', async () => {
      const guest = await trial.makeGuest()
      const signal = AbortSignal.abort(new Error('too late'))

      await expect(trial.driver.spawn(ctx, guest, { signal })).rejects.toThrow('too late')
      expect(await trial.world.exists(guest)).toBe(false)
    })
  })
}
