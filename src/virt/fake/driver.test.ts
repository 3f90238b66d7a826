import { describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { InstanceDeployFailure, MigrationError } from '../../common/errors/guest.ts'
import { loggerTo } from '../../common/log.ts'
import { describeDriverContract, type DriverWorld } from '../../testing/driver-contract.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import type { GuestSpec, HostResources } from '../driver.ts'
import { FakeGuestAssignment } from './assignment.ts'
import { FakeDriver } from './driver.ts'
import type { FaultyMethod } from './faults.ts'
import { FakeHypervisor } from './hypervisor.ts'

const RESOURCES: HostResources = {
  vcpus: 8,
  memoryMb: 16_384,
  diskGb: 100,
  hypervisorType: 'fake',
  architecture: 'x86_64',
  availabilityZone: undefined,
}

const GUEST: GuestSpec = {
  namespace: 'default',
  name: 'web',
  uid: '00000000-0000-4000-8000-000000000001',
  hostname: 'web',
  vcpus: 1,
  memoryMb: 512,
  diskGb: 1,
  disk: { kind: 'containerDisk', image: 'cirros' },
  properties: {},
}

function makeFixture(host = 'node-1'): {
  hypervisor: FakeHypervisor
  clock: FakeClock
  lines: string[]
  makeDriver: (host?: string) => FakeDriver
} {
  const hypervisor = new FakeHypervisor()
  const clock = new FakeClock()
  const lines: string[] = []
  const log = loggerTo((line) => lines.push(line), { format: 'text', level: 'info' })
  return {
    hypervisor,
    clock,
    lines,
    makeDriver: (name = host) =>
      new FakeDriver({ hypervisor, clock, log }, { host: name, resources: RESOURCES }),
  }
}

async function makeWorld(): Promise<DriverWorld> {
  const { hypervisor, clock, makeDriver } = makeFixture()
  let instances = 0
  return {
    makeInstance: async () => `00000000-0000-4000-8000-${String(++instances).padStart(12, '0')}`,
    driver: async (host) => {
      const driver = makeDriver(host)
      await driver.start()
      return driver
    },
    nodeOf: (host) => host,
    assignment: new FakeGuestAssignment(),
    sizeOf: async (guest) => hypervisor.find(guest)?.size,
    putForeign: async (guest) => hypervisor.putForeign(guest),
    isForeignIntact: async (guest) => hypervisor.hasForeign(guest),
    makeStubborn: async (guest) => hypervisor.makeStubborn(guest),
    isAskedToShutDown: async (guest) => hypervisor.find(guest)?.isAskedToShutDown === true,
    guestPowersOff: async (guest) => hypervisor.powerOff(guest),
    guestCrashes: async (guest) => hypervisor.crash(guest),
    runOf: async (guest) => `${hypervisor.find(guest)?.runs}`,
    rebootsOf: async (guest) => hypervisor.find(guest)?.reboots ?? 0,
    imagesOf: async (guest) => {
      const { rescueDisk, disk } = hypervisor.find(guest) ?? {}
      return [rescueDisk, disk].flatMap((each) => (each?.kind === 'containerDisk' ? [each.image] : []))
    },
    canSuspend: true,
    seesReboots: true,
    removeGuest: async (guest) => hypervisor.remove(guest),
    holdBoot: () => hypervisor.holdBoot(),
    releaseBoot: async () => hypervisor.releaseBoot(),
    exists: async (guest) => hypervisor.find(guest) !== undefined,
    elapse: async (ms) => clock.advance(ms),
    close: async () => undefined,
  }
}

describeDriverContract('the fake driver', makeWorld)

describe('FakeDriver', () => {
  const ctx = serviceContext('req-1')

  it('fails the next call as it was told, and only that', async () => {
    const driver = makeFixture().makeDriver()
    driver.failNext(
      'spawn',
      new InstanceDeployFailure({ instance: GUEST.uid, host: 'node-1', reason: 'told so' }),
    )

    await expect(driver.spawn(ctx, GUEST)).rejects.toThrow('told so')
    await expect(driver.spawn(ctx, GUEST)).resolves.toMatchObject({ powerState: 'RUNNING' })
  })

  it('cannot move a guest to a host that is not in its process', async () => {
    const driver = makeFixture().makeDriver()
    await driver.spawn(ctx, GUEST)

    await expect(driver.liveMigrate(ctx, GUEST, { to: 'node-9' })).rejects.toThrow(
      'the fake hypervisor of node-1 is not in one process with that of node-9',
    )
    expect(await driver.getInfo(GUEST)).toMatchObject({ powerState: 'RUNNING' })
  })

  it('makes a guest here that was moved from another process', async () => {
    const driver = makeFixture().makeDriver()

    expect(await driver.finishMigration(ctx, GUEST, { powerOn: true })).toMatchObject({
      powerState: 'RUNNING',
    })
  })

  it.each(['finishMigration', 'liveMigrate', 'snapshot'] as const)(
    'fails %s when it is told to',
    async (call) => {
      const driver = makeFixture().makeDriver()
      await driver.spawn(ctx, GUEST)
      driver.failNext(call, new MigrationError({ instance: GUEST.uid, reason: 'told so' }))
      const calls = {
        finishMigration: async () => driver.finishMigration(ctx, GUEST, { powerOn: true }),
        liveMigrate: async () => driver.liveMigrate(ctx, GUEST, { to: 'node-1' }),
        snapshot: async () => driver.snapshot(ctx, GUEST, { name: 'copy' }),
      }

      await expect(calls[call]()).rejects.toThrow('told so')
      await expect(calls[call]()).resolves.not.toThrow()
    },
  )

  const CALLS: Readonly<Record<FaultyMethod, (driver: FakeDriver) => Promise<unknown>>> = {
    getAvailableResource: async (driver) => driver.getAvailableResource(),
    listInstances: async (driver) => driver.listInstances(),
    getInfo: async (driver) => driver.getInfo(GUEST),
    spawn: async (driver) => driver.spawn(ctx, GUEST),
    powerOff: async (driver) => driver.powerOff(ctx, GUEST, { timeoutMs: 0 }),
    powerOn: async (driver) => driver.powerOn(ctx, GUEST),
    pause: async (driver) => driver.pause(ctx, GUEST),
    unpause: async (driver) => driver.unpause(ctx, GUEST),
    suspend: async (driver) => driver.suspend(ctx, GUEST),
    resume: async (driver) => driver.resume(ctx, GUEST),
    softReboot: async (driver) => driver.softReboot(ctx, GUEST, { timeoutMs: 1 }),
    hardReboot: async (driver) => driver.hardReboot(ctx, GUEST),
    rescue: async (driver) => driver.rescue(ctx, GUEST, { disk: GUEST.disk }),
    unrescue: async (driver) => driver.unrescue(ctx, GUEST, { powerOn: true }),
    getConsoleOutput: async (driver) => driver.getConsoleOutput(ctx, GUEST, { lines: 1 }),
    finishMigration: async (driver) => driver.finishMigration(ctx, GUEST, { powerOn: true }),
    liveMigrate: async (driver) => driver.liveMigrate(ctx, GUEST, { to: 'node-2' }),
    snapshot: async (driver) => driver.snapshot(ctx, GUEST, { name: 'one' }),
    destroy: async (driver) => driver.destroy(ctx, GUEST),
  }

  it.each(Object.keys(CALLS) as FaultyMethod[])(
    'can fail in %s, and then touches nothing',
    async (method) => {
      const { makeDriver, hypervisor } = makeFixture()
      const driver = makeDriver()
      await driver.spawn(ctx, GUEST)
      const before = hypervisor.find(GUEST)
      driver.failNext(method, new Error('told so'))

      await expect(CALLS[method](driver)).rejects.toThrow('told so')
      expect(hypervisor.find(GUEST)).toBe(before)
    },
  )

  it('takes the time it was told to take', async () => {
    const { makeDriver, clock, hypervisor } = makeFixture()
    const driver = makeDriver()
    driver.delay('spawn', 5000)

    const spawning = driver.spawn(ctx, GUEST)
    await clock.advance(4999)
    expect(hypervisor.find(GUEST)).toBeUndefined()
    await clock.advance(1)

    await expect(spawning).resolves.toMatchObject({ powerState: 'RUNNING' })
  })

  it('says every step once, under the request and the instance', async () => {
    const { makeDriver, lines } = makeFixture()
    const driver = makeDriver()

    await driver.spawn(ctx, GUEST)
    await driver.powerOff(ctx, GUEST, { timeoutMs: 1000 })
    await driver.destroy(ctx, GUEST)

    expect(lines.map((line) => line.replace(/^.*?INFO /, ''))).toEqual(
      [
        'Created the guest',
        'Guest is running addresses=["10.0.0.1"]',
        'Asked the guest to shut down timeoutMs=1000',
        'Guest is off',
        'Deleted the guest',
      ].map((text) => `nova.virt.fake.driver [req-1 - -] [instance: ${GUEST.uid}] ${text}`),
    )
  })
})
