import { beforeEach, describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { MigrationError } from '../../common/errors/guest.ts'
import type { ComputeDriver, GuestSpec } from '../../virt/driver.ts'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { until } from '../until.ts'
import { ctx, hear, HOST, namesOf, OTHER_HOST, seen, spawned, stateOf, type Trial } from './trial.ts'

const OFF = { timeoutMs: 60_000 }

/** How guests go from host to host. */
export function describeMoves(trial: Trial): void {
  let other: ComputeDriver
  let requests = 0

  beforeEach(async () => {
    other = await trial.world.driver(OTHER_HOST)
  })

  /** As the conductor does, once the Instance says so. */
  async function assign(guest: GuestSpec, host: string | undefined): Promise<void> {
    await trial.world.assignment.assign(ctx, guest, host === undefined ? undefined : trial.world.nodeOf(host))
  }

  /** A move, for a request of its own. */
  async function move(guest: GuestSpec, from: ComputeDriver, host: string): Promise<void> {
    const request = serviceContext(`req-${++requests}`)
    const to = trial.world.nodeOf(host)
    await trial.world.assignment.allowMove(request, guest, to)
    await from.liveMigrate(request, guest, { to })
    await assign(guest, host)
  }

  const larger = (guest: GuestSpec): GuestSpec => ({ ...guest, vcpus: 2, memoryMb: 1024 })

  describe('finishMigration', () => {
    async function switchedOff(): Promise<GuestSpec> {
      const guest = await spawned(trial)
      await trial.driver.powerOff(ctx, guest, OFF)
      return guest
    }

    it('starts a guest that came from another host, in its new size', async () => {
      const guest = await switchedOff()
      await assign(guest, OTHER_HOST)

      const info = await other.finishMigration(ctx, larger(guest), { powerOn: true })

      expect(info).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 2, memoryMb: 1024 })
      expect(await other.getInfo(guest)).toEqual(info)
      await seen(trial.driver, guest, 'NOSTATE')
      expect(await namesOf(trial.driver)).toEqual([])
      expect(await namesOf(other)).toEqual([guest.name])
    })

    it('leaves a guest off that is to stay off, and it starts in its new size later', async () => {
      const guest = await switchedOff()
      await assign(guest, OTHER_HOST)

      const info = await other.finishMigration(ctx, larger(guest), { powerOn: false })

      expect(info).toMatchObject({ powerState: 'SHUTDOWN', addresses: [] })
      await other.powerOn(ctx, guest)
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 2, memoryMb: 1024 })
    })

    it('starts a guest that had shut itself down where it was', async () => {
      const guest = await spawned(trial)
      await trial.world.guestPowersOff(guest)
      await seen(trial.driver, guest, 'SHUTDOWN')
      await assign(guest, OTHER_HOST)

      expect(await other.finishMigration(ctx, larger(guest), { powerOn: true })).toMatchObject({
        powerState: 'RUNNING',
      })
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 2, memoryMb: 1024 })
    })

    it('resizes a guest on its own host', async () => {
      const guest = await switchedOff()

      await trial.driver.finishMigration(ctx, larger(guest), { powerOn: true })

      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 2, memoryMb: 1024 })
    })

    it('takes a guest back in its old size', async () => {
      const guest = await switchedOff()
      await assign(guest, OTHER_HOST)
      await other.finishMigration(ctx, larger(guest), { powerOn: true })
      await other.powerOff(ctx, guest, OFF)
      await assign(guest, HOST)

      expect(await trial.driver.finishMigration(ctx, guest, { powerOn: true })).toMatchObject({
        powerState: 'RUNNING',
      })
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 1, memoryMb: 512 })
      await seen(other, guest, 'NOSTATE')
    })

    it('called twice leaves the guest alone that it started', async () => {
      const guest = await switchedOff()
      await assign(guest, OTHER_HOST)
      const first = await other.finishMigration(ctx, larger(guest), { powerOn: true })
      const run = await trial.world.runOf(guest)

      expect(await other.finishMigration(ctx, larger(guest), { powerOn: true })).toEqual(first)
      expect(await trial.world.runOf(guest)).toBe(run)
    })

    it('goes on where a crashed agent stopped', async () => {
      const guest = await switchedOff()
      await assign(guest, OTHER_HOST)
      const abort = new AbortController()
      trial.world.holdBoot()
      const options = { powerOn: true, signal: abort.signal }
      const crashed = expect(other.finishMigration(ctx, larger(guest), options)).rejects.toThrow('it stops')
      await until('the guest is there', async () => (await namesOf(other)).includes(guest.name))
      abort.abort(new Error('it stops'))
      await crashed
      await other.stop()
      await trial.world.releaseBoot()

      const restarted = await trial.world.driver(OTHER_HOST)

      expect(await restarted.finishMigration(ctx, larger(guest), { powerOn: true })).toMatchObject({
        powerState: 'RUNNING',
      })
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 2, memoryMb: 1024 })
    })

    it('does not touch a guest that runs in another size', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)

      await expect(trial.driver.finishMigration(ctx, larger(guest), { powerOn: true })).rejects.toThrow(
        MigrationError,
      )
      expect(await trial.world.runOf(guest)).toBe(run)
      expect(await trial.world.sizeOf(guest)).toEqual({ vcpus: 1, memoryMb: 512 })
    })

    it('fails for an instance whose name another one has now', async () => {
      const guest = await spawned(trial)
      const namesake = await trial.makeNamesake(guest)

      await expect(trial.driver.finishMigration(ctx, namesake, { powerOn: true })).rejects.toThrow(
        GuestNotFound,
      )
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('rejects at once when its signal is aborted already', async () => {
      const guest = await switchedOff()
      const signal = AbortSignal.abort(new Error('too late'))

      await expect(trial.driver.finishMigration(ctx, guest, { powerOn: true, signal })).rejects.toThrow(
        'too late',
      )
      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('has a guest off that was taken away from a dead host, and it can be started', async () => {
      const guest = await spawned(trial)
      await trial.driver.stop()
      await trial.world.assignment.takeAway(ctx, guest, trial.world.nodeOf(OTHER_HOST), {
        byForce: true,
      })

      expect(await other.finishMigration(ctx, guest, { powerOn: false })).toMatchObject({
        powerState: 'SHUTDOWN',
      })
      expect(await other.powerOn(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
    })

    it('starts a guest that was nobody’s for a while', async () => {
      const guest = await switchedOff()
      await assign(guest, undefined)
      await assign(guest, OTHER_HOST)

      expect(await other.finishMigration(ctx, guest, { powerOn: true })).toMatchObject({
        powerState: 'RUNNING',
      })
    })
  })

  describe('liveMigrate', () => {
    it('moves a guest while it runs', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)

      await move(guest, trial.driver, OTHER_HOST)

      await seen(other, guest, 'RUNNING')
      await seen(trial.driver, guest, 'NOSTATE')
      expect(await trial.world.runOf(guest)).toBe(run)
      await other.powerOff(ctx, guest, OFF)
      expect(await other.powerOn(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
    })

    it('there and back again, in one run', async () => {
      const guest = await spawned(trial)
      const run = await trial.world.runOf(guest)

      await move(guest, trial.driver, OTHER_HOST)
      await move(guest, other, HOST)
      await move(guest, trial.driver, OTHER_HOST)

      await seen(other, guest, 'RUNNING')
      expect(await trial.world.runOf(guest)).toBe(run)
    })

    it('called again for a guest that has moved already is content', async () => {
      const guest = await spawned(trial)
      const to = trial.world.nodeOf(OTHER_HOST)
      await trial.world.assignment.allowMove(ctx, guest, to)
      await trial.driver.liveMigrate(ctx, guest, { to })

      await expect(trial.driver.liveMigrate(ctx, guest, { to })).resolves.toBeUndefined()
      await assign(guest, OTHER_HOST)
      await expect(trial.driver.liveMigrate(ctx, guest, { to })).resolves.toBeUndefined()
    })

    it('is told by both hosts', async () => {
      const guest = await spawned(trial)
      const [here, there] = [hear(trial.driver, guest), hear(other, guest)]

      await move(guest, trial.driver, OTHER_HOST)

      await until('both told it', () => here.length > 0 && there.length > 0)
      expect({ here, there }).toEqual({ here: ['NOSTATE'], there: ['RUNNING'] })
    })

    it('fails for a guest that is off, and leaves it there', async () => {
      const guest = await spawned(trial)
      await trial.driver.powerOff(ctx, guest, OFF)
      const to = trial.world.nodeOf(OTHER_HOST)
      await trial.world.assignment.allowMove(ctx, guest, to)

      await expect(trial.driver.liveMigrate(ctx, guest, { to })).rejects.toThrow(MigrationError)
      expect(await stateOf(trial.driver, guest)).toBe('SHUTDOWN')
    })

    it('fails when there is no such guest', async () => {
      const guest = await spawned(trial)
      const to = trial.world.nodeOf(OTHER_HOST)

      for (const missing of [await trial.makeGuest(), await trial.makeNamesake(guest)]) {
        await expect(trial.driver.liveMigrate(ctx, missing, { to })).rejects.toThrow(GuestNotFound)
      }
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('rejects at once when its signal is aborted already', async () => {
      const guest = await spawned(trial)
      const options = { to: trial.world.nodeOf(OTHER_HOST), signal: AbortSignal.abort(new Error('too late')) }

      await expect(trial.driver.liveMigrate(ctx, guest, options)).rejects.toThrow('too late')
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })
  })

  describe('snapshot', () => {
    const source = { http: { url: 'http://images.example/cirros.img' } }

    async function onDisk(): Promise<GuestSpec> {
      const guest = { ...(await trial.makeGuest()), diskGb: 1, disk: { kind: 'dataVolume', source } as const }
      await trial.driver.spawn(ctx, guest)
      return guest
    }

    it('gives what other disks can be made from, the same when it is called again', async () => {
      const guest = await onDisk()

      const copy = await trial.driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })

      expect(copy).toEqual({ snapshot: { namespace: 'default', name: expect.stringMatching(/./) } })
      expect(await trial.driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })).toEqual(copy)
      expect(await stateOf(trial.driver, guest)).toBe('RUNNING')
    })

    it('fails when there is no such guest', async () => {
      const guest = await onDisk()

      for (const missing of [await trial.makeGuest(), await trial.makeNamesake(guest)]) {
        const name = `${guest.name}-copy`
        await expect(trial.driver.snapshot(ctx, missing, { name })).rejects.toThrow(GuestNotFound)
      }
    })
  })
}
