import { describe, expect, it } from 'vitest'
import { ctx, HOST, spawned, stateOf, type Trial } from './trial.ts'

const DISK = { kind: 'containerDisk', image: 'rescue-image' } as const

/** How a guest is booted from another disk than its own. */
export function describeRescue(trial: Trial): void {
  const OWN = 'quay.io/kubevirt/cirros-container-disk-demo:v1.9.0'

  describe('rescue', () => {
    it('boots the guest from that disk, with its own as the second', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)

      const info = await trial.driver.rescue(ctx, guest, { disk: DISK })

      expect(info).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
      expect(await trial.driver.getInfo(guest)).toEqual(info)
      expect(await trial.world.imagesOf(guest)).toEqual(['rescue-image', OWN])
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it('boots a guest that was off', async () => {
      const guest = await spawned(trial)
      await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      expect(await trial.driver.rescue(ctx, guest, { disk: DISK })).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.imagesOf(guest)).toEqual(['rescue-image', OWN])
    })

    it('called twice leaves the guest alone that it made', async () => {
      const guest = await spawned(trial)
      const first = await trial.driver.rescue(ctx, guest, { disk: DISK })
      const run = await trial.world.runOf(guest)

      expect(await trial.driver.rescue(ctx, guest, { disk: DISK })).toEqual(first)
      expect(await trial.world.runOf(guest)).toBe(run)
    })

    it('from another disk takes the first one out', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })

      await trial.driver.rescue(ctx, guest, { disk: { ...DISK, image: 'better-image' } })

      expect(await trial.world.imagesOf(guest)).toEqual(['better-image', OWN])
    })

    it('goes on where a crashed agent stopped', async () => {
      const guest = await spawned(trial)
      const abort = new AbortController()
      trial.driver.onLifecycleEvent(() => abort.abort(new Error('the agent stops')))
      const crashed = trial.driver.rescue(ctx, guest, { disk: DISK, signal: abort.signal })
      await expect(crashed).rejects.toThrow('the agent stops')
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await restarted.rescue(ctx, guest, { disk: DISK })).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.imagesOf(guest)).toEqual(['rescue-image', OWN])
    })

    it('outlives a hard reboot', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })

      await trial.driver.hardReboot(ctx, guest)

      expect(await trial.world.imagesOf(guest)).toEqual(['rescue-image', OWN])
    })
  })

  describe('unrescue', () => {
    it('boots the guest from its own disk again', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })
      const run = await trial.world.runOf(guest)

      const info = await trial.driver.unrescue(ctx, guest, { powerOn: true })

      expect(info).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
      expect(await trial.world.imagesOf(guest)).toEqual([OWN])
      expect(await trial.world.runOf(guest)).not.toBe(run)
    })

    it('leaves the guest off when it shall be off', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })

      const info = await trial.driver.unrescue(ctx, guest, { powerOn: false })

      expect(info).toMatchObject({ powerState: 'SHUTDOWN' })
      await trial.driver.powerOn(ctx, guest)
      expect(await trial.world.imagesOf(guest)).toEqual([OWN])
    })

    it.each([true, false])('of a guest that is not rescued starts or stops it (on: %s)', async (powerOn) => {
      const guest = await spawned(trial)
      if (powerOn) await trial.driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

      await trial.driver.unrescue(ctx, guest, { powerOn })

      expect(await stateOf(trial.driver, guest)).toBe(powerOn ? 'RUNNING' : 'SHUTDOWN')
    })

    it('called twice leaves the guest alone that it made', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })
      const first = await trial.driver.unrescue(ctx, guest, { powerOn: true })
      const run = await trial.world.runOf(guest)

      expect(await trial.driver.unrescue(ctx, guest, { powerOn: true })).toEqual(first)
      expect(await trial.world.runOf(guest)).toBe(run)
    })

    it('goes on where a crashed agent stopped', async () => {
      const guest = await spawned(trial)
      await trial.driver.rescue(ctx, guest, { disk: DISK })
      const abort = new AbortController()
      trial.driver.onLifecycleEvent(() => abort.abort(new Error('the agent stops')))
      const crashed = trial.driver.unrescue(ctx, guest, { powerOn: true, signal: abort.signal })
      await expect(crashed).rejects.toThrow('the agent stops')
      await trial.driver.stop()

      const restarted = await trial.world.driver(HOST)

      expect(await restarted.unrescue(ctx, guest, { powerOn: true })).toMatchObject({ powerState: 'RUNNING' })
      expect(await trial.world.imagesOf(guest)).toEqual([OWN])
    })
  })
}
