import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serviceContext } from '../common/context.ts'
import { InstanceDeployFailure, InstanceExists } from '../common/errors.ts'
import type { ComputeDriver, GuestRef, GuestSpec, LifecycleEvent, PowerState } from '../virt/driver.ts'
import { GuestNotFound } from '../virt/guest-not-found.ts'
import { until } from './until.ts'

/** Where a driver is tried: its hypervisor, and what guests and strangers do there behind its back. */
export interface DriverWorld {
  /** Makes the instance that a guest belongs to, and answers its uid. */
  makeInstance(ref: { readonly namespace: string; readonly name: string }): Promise<string>
  /** A started driver for the host; every call makes a new one, as a restart of the agent does. */
  driver(host: string): Promise<ComputeDriver>
  /** Puts a machine of somebody else's under the guest's name. */
  putForeign(guest: GuestRef): Promise<void>
  /** That machine is still there as it was put. */
  isForeignIntact(guest: GuestRef): Promise<boolean>
  /** From now on the guest does not heed a request to shut down. */
  makeStubborn(guest: GuestRef): Promise<void>
  isAskedToShutDown(guest: GuestRef): Promise<boolean>
  guestPowersOff(guest: GuestRef): Promise<void>
  guestCrashes(guest: GuestRef): Promise<void>
  /** Removes the guest without the driver. */
  removeGuest(guest: GuestRef): Promise<void>
  /** Guests that are started from now on do not come up. */
  holdBoot(): void
  /** Anything at all of this name is there. */
  exists(guest: GuestRef): Promise<boolean>
  /** Lets the drivers' time pass. */
  elapse(ms: number): Promise<void>
  /** Stops everything, the drivers too. */
  close(): Promise<void>
}

/** The two hosts a world must have. */
export const HOSTS = ['node-1', 'node-2'] as const
const [HOST, OTHER_HOST] = HOSTS

const ctx = serviceContext('req-00000000-0000-4000-8000-000000000001')

let lastNumber = 0

async function stateOf(driver: ComputeDriver, guest: GuestRef): Promise<PowerState> {
  return (await driver.getInfo(guest)).powerState
}

async function namesOf(driver: ComputeDriver): Promise<string[]> {
  return (await driver.listInstances()).map(({ name }) => name).sort()
}

/** Collects what a driver tells about one guest. */
function hear(driver: ComputeDriver, guest: GuestRef): PowerState[] {
  const heard: PowerState[] = []
  driver.onLifecycleEvent((event: LifecycleEvent) => {
    if (event.uid === guest.uid) heard.push(event.powerState)
  })
  return heard
}

/** The contract of `ComputeDriver` as tests. Every driver passes it: `describeDriverContract('fake', makeWorld)`. */
export function describeDriverContract(driverName: string, makeWorld: () => Promise<DriverWorld>): void {
  describe(`the driver contract on ${driverName}`, () => {
    let world: DriverWorld
    let driver: ComputeDriver

    beforeEach(async () => {
      world = await makeWorld()
      driver = await world.driver(HOST)
    })

    afterEach(async () => {
      await world.close()
    })

    /** A guest that no other test has: worlds may share an API server. */
    async function makeGuest(name = `guest-${++lastNumber}`): Promise<GuestSpec> {
      const namespace = 'default'
      return {
        namespace,
        name,
        uid: await world.makeInstance({ namespace, name }),
        hostname: name,
        vcpus: 1,
        memoryMb: 512,
        diskGb: 0,
        disk: { kind: 'containerDisk', image: 'quay.io/kubevirt/cirros-container-disk-demo:v1.9.0' },
        properties: {},
      }
    }

    /** The same name once more, as a user makes it after a delete. */
    async function makeNamesake({ name }: GuestSpec): Promise<GuestSpec> {
      return makeGuest(name)
    }

    describe('getAvailableResource', () => {
      it('tells what the host has', async () => {
        const resources = await driver.getAvailableResource()

        expect(resources.vcpus).toBeGreaterThan(0)
        expect(resources.memoryMb).toBeGreaterThan(0)
        expect(resources.diskGb).toBeGreaterThanOrEqual(0)
        expect(['x86_64', 'aarch64', 's390x']).toContain(resources.architecture)
        expect(['kvm', 'qemu', 'fake']).toContain(resources.hypervisorType)
      })
    })

    describe('spawn', () => {
      it('makes a guest that runs and has an address', async () => {
        const guest = await makeGuest()

        const info = await driver.spawn(ctx, guest)

        expect(info).toMatchObject({ name: guest.name, uid: guest.uid, powerState: 'RUNNING' })
        expect(info.addresses.map(({ address }) => address)).toEqual([expect.stringMatching(/^[\d.]+$/)])
        expect(await driver.getInfo(guest)).toEqual(info)
      })

      it('called twice takes over the guest it made', async () => {
        const guest = await makeGuest()
        const first = await driver.spawn(ctx, guest)

        expect(await driver.spawn(ctx, guest)).toEqual(first)
        expect(await namesOf(driver)).toEqual([guest.name])
      })

      it('called twice at the same time makes one guest', async () => {
        const guest = await makeGuest()

        const [first, second] = await Promise.all([driver.spawn(ctx, guest), driver.spawn(ctx, guest)])

        expect(first).toEqual(second)
      })

      it('takes over a guest that a crashed agent had begun', async () => {
        const guest = await makeGuest()
        const before = await driver.spawn(ctx, guest)
        await driver.stop()

        const restarted = await world.driver(HOST)

        expect(await restarted.spawn(ctx, guest)).toEqual(before)
      })

      it('takes over a guest as it is that shut itself down meanwhile', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.guestPowersOff(guest)
        await until('the driver sees it', async () => (await stateOf(driver, guest)) === 'SHUTDOWN')

        expect(await driver.spawn(ctx, guest)).toMatchObject({ uid: guest.uid, powerState: 'SHUTDOWN' })
      })

      it('refuses a name under which a machine of somebody else stands, and leaves that alone', async () => {
        const guest = await makeGuest()
        await world.putForeign(guest)

        await expect(driver.spawn(ctx, guest)).rejects.toThrow(InstanceExists)
        expect(await world.isForeignIntact(guest)).toBe(true)
        expect(await stateOf(driver, guest)).toBe('NOSTATE')
      })

      it('refuses a name that another instance still has', async () => {
        const guest = await makeGuest()
        const namesake = await makeNamesake(guest)
        await driver.spawn(ctx, guest)

        await expect(driver.spawn(ctx, namesake)).rejects.toThrow(InstanceExists)
        expect(await stateOf(driver, guest)).toBe('RUNNING')
        expect(await stateOf(driver, namesake)).toBe('NOSTATE')
      })

      it('fails while the guest is still on another host, and leaves it alone', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        const other = await world.driver(OTHER_HOST)

        await expect(other.spawn(ctx, guest)).rejects.toThrow(InstanceDeployFailure)
        expect(await stateOf(driver, guest)).toBe('RUNNING')
      })

      it('makes a new guest under the name of one that was deleted', async () => {
        const guest = await makeGuest()
        const namesake = await makeNamesake(guest)
        await driver.spawn(ctx, guest)
        await driver.destroy(ctx, guest)

        expect(await driver.spawn(ctx, namesake)).toMatchObject({ uid: namesake.uid, powerState: 'RUNNING' })
        expect(await stateOf(driver, guest)).toBe('NOSTATE')
      })

      it('gives up with the reason of its signal, and what it left can be destroyed', async () => {
        const guest = await makeGuest()
        const abort = new AbortController()
        world.holdBoot()
        const spawning = driver.spawn(ctx, guest, { signal: abort.signal })
        const outcome = expect(spawning).rejects.toThrow('the instance is deleted')
        await until('the guest is made', () => world.exists(guest))

        abort.abort(new Error('the instance is deleted'))

        await outcome
        await driver.destroy(ctx, guest)
        expect(await world.exists(guest)).toBe(false)
      })

      it('rejects at once when its signal is aborted already', async () => {
        const guest = await makeGuest()
        const signal = AbortSignal.abort(new Error('too late'))

        await expect(driver.spawn(ctx, guest, { signal })).rejects.toThrow('too late')
        expect(await world.exists(guest)).toBe(false)
      })
    })

    describe('powerOff', () => {
      it('lets a guest shut itself down', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)

        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

        expect(await driver.getInfo(guest)).toMatchObject({ powerState: 'SHUTDOWN', addresses: [] })
        expect(await namesOf(driver)).toEqual([guest.name])
      })

      it('forces a guest off that does not heed, after the timeout and not before', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.makeStubborn(guest)

        const off = driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
        await until('the guest is asked', () => world.isAskedToShutDown(guest))
        await world.elapse(50_000)
        expect(await stateOf(driver, guest)).toBe('RUNNING')
        await world.elapse(10_000)

        await off
        expect(await stateOf(driver, guest)).toBe('SHUTDOWN')
      })

      it('forces a guest off at once when there is no time', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.makeStubborn(guest)

        await driver.powerOff(ctx, guest, { timeoutMs: 0 })

        expect(await stateOf(driver, guest)).toBe('SHUTDOWN')
      })

      it('is content with a guest that is off', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

        expect(await stateOf(driver, guest)).toBe('SHUTDOWN')
      })

      it('is content with a guest that shut itself down', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.guestPowersOff(guest)
        await until('the driver sees it', async () => (await stateOf(driver, guest)) === 'SHUTDOWN')

        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

        expect(await stateOf(driver, guest)).toBe('SHUTDOWN')
      })

      it('counts a guest that is not there as off', async () => {
        await expect(driver.powerOff(ctx, await makeGuest(), { timeoutMs: 60_000 })).resolves.toBeUndefined()
      })

      it('goes on where a crashed agent stopped', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.makeStubborn(guest)
        const abort = new AbortController()
        const first = driver.powerOff(ctx, guest, { timeoutMs: 60_000, signal: abort.signal })
        const outcome = expect(first).rejects.toThrow('the agent stops')
        await until('the guest is asked', () => world.isAskedToShutDown(guest))
        abort.abort(new Error('the agent stops'))
        await outcome
        await driver.stop()

        const restarted = await world.driver(HOST)
        const off = restarted.powerOff(ctx, guest, { timeoutMs: 0 })

        await off
        expect(await stateOf(restarted, guest)).toBe('SHUTDOWN')
      })
    })

    describe('powerOn', () => {
      it('starts a guest that was switched off', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })

        expect(await driver.powerOn(ctx, guest)).toMatchObject({ uid: guest.uid, powerState: 'RUNNING' })
        expect(await stateOf(driver, guest)).toBe('RUNNING')
      })

      it.each(['guestPowersOff', 'guestCrashes'] as const)('starts a guest after %s', async (event) => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world[event](guest)
        await until('the driver sees it', async () => (await stateOf(driver, guest)) !== 'RUNNING')

        expect(await driver.powerOn(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
      })

      it('leaves a guest alone that runs', async () => {
        const guest = await makeGuest()
        const before = await driver.spawn(ctx, guest)

        expect(await driver.powerOn(ctx, guest)).toEqual(before)
      })

      it('fails when there is no such guest', async () => {
        await expect(driver.powerOn(ctx, await makeGuest())).rejects.toThrow(GuestNotFound)
      })

      it('fails when the guest was removed behind our back', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
        await world.removeGuest(guest)
        await until('the driver sees it', async () => (await stateOf(driver, guest)) === 'NOSTATE')

        await expect(driver.powerOn(ctx, guest)).rejects.toThrow(GuestNotFound)
        expect(await stateOf(driver, guest)).toBe('NOSTATE')
      })

      it('fails for an instance whose name another one has now', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)

        await expect(driver.powerOn(ctx, await makeNamesake(guest))).rejects.toThrow(GuestNotFound)
        expect(await stateOf(driver, guest)).toBe('RUNNING')
      })
    })

    describe('destroy', () => {
      it.each([60_000, undefined])('removes a guest (switched off before: %s)', async (timeoutMs) => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        if (timeoutMs !== undefined) await driver.powerOff(ctx, guest, { timeoutMs })

        await driver.destroy(ctx, guest)

        expect(await world.exists(guest)).toBe(false)
        expect(await stateOf(driver, guest)).toBe('NOSTATE')
        expect(await namesOf(driver)).toEqual([])
      })

      it('may be called twice, and for a guest that never was', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await driver.destroy(ctx, guest)

        await expect(driver.destroy(ctx, guest)).resolves.toBeUndefined()
        await expect(driver.destroy(ctx, await makeGuest())).resolves.toBeUndefined()
      })

      it('does not touch a machine of somebody else', async () => {
        const guest = await makeGuest()
        await world.putForeign(guest)

        await driver.destroy(ctx, guest)

        expect(await world.isForeignIntact(guest)).toBe(true)
      })

      it('does not touch a later instance of the same name', async () => {
        const guest = await makeGuest()
        const namesake = await makeNamesake(guest)
        await driver.spawn(ctx, namesake)

        await driver.destroy(ctx, guest)

        expect(await stateOf(driver, namesake)).toBe('RUNNING')
      })

      it('does not touch a guest that has moved to another host', async () => {
        const guest = await makeGuest()
        const other = await world.driver(OTHER_HOST)
        await other.spawn(ctx, guest)

        await driver.destroy(ctx, guest)

        expect(await stateOf(other, guest)).toBe('RUNNING')
      })
    })

    describe('listInstances', () => {
      it("lists this host's guests alone, also after a restart", async () => {
        const [here, there] = [await makeGuest(), await makeGuest()]
        await world.putForeign(await makeGuest())
        const other = await world.driver(OTHER_HOST)
        await Promise.all([driver.spawn(ctx, here), other.spawn(ctx, there)])
        await driver.stop()

        const restarted = await world.driver(HOST)

        expect(await namesOf(restarted)).toEqual([here.name])
        expect(await namesOf(other)).toEqual([there.name])
        expect(await stateOf(restarted, there)).toBe('NOSTATE')
      })
    })

    describe('lifecycle events', () => {
      it('tell each change of power state once', async () => {
        const guest = await makeGuest()
        const heard = hear(driver, guest)

        await driver.spawn(ctx, guest)
        await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
        await driver.powerOn(ctx, guest)
        await driver.destroy(ctx, guest)

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
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        const heard = hear(driver, guest)

        await world[event](guest)

        await until(`${state} is told`, () => heard.includes(state))
        expect(await stateOf(driver, guest)).toBe(state)
      })

      it('tell SHUTDOWN and not CRASHED when we forced the guest off', async () => {
        const guest = await makeGuest()
        await driver.spawn(ctx, guest)
        await world.makeStubborn(guest)
        const heard = hear(driver, guest)

        await driver.powerOff(ctx, guest, { timeoutMs: 0 })

        await until('SHUTDOWN is told', () => heard.length > 0)
        expect(heard).toEqual(['SHUTDOWN'])
      })

      it('are not told of guests on another host, nor after the listener left', async () => {
        const guest = await makeGuest()
        const other = await world.driver(OTHER_HOST)
        const heard = hear(other, guest)
        const left: LifecycleEvent[] = []
        driver.onLifecycleEvent((event) => left.push(event))()

        await driver.spawn(ctx, guest)
        await driver.destroy(ctx, guest)

        expect(heard).toEqual([])
        expect(left).toEqual([])
      })
    })
  })
}
