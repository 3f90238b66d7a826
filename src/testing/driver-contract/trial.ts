import { afterEach, beforeEach } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import type { ComputeDriver, GuestRef, GuestSpec, LifecycleEvent, PowerState } from '../../virt/driver.ts'
import { until } from '../until.ts'
import { type DriverWorld, HOSTS } from './world.ts'

export const [HOST, OTHER_HOST] = HOSTS

export const ctx = serviceContext('req-00000000-0000-4000-8000-000000000001')

let lastNumber = 0

/** What each test of the contract stands on: a world of its own, and the driver of its first host. */
export interface Trial {
  readonly world: DriverWorld
  readonly driver: ComputeDriver
  /** A guest that no other test has: worlds may share an API server. */
  makeGuest(name?: string): Promise<GuestSpec>
  /** The same name once more, as a user makes it after a delete. */
  makeNamesake(guest: GuestSpec): Promise<GuestSpec>
}

/** Makes a new world before each test around the call, and closes it after. */
export function useTrial(makeWorld: () => Promise<DriverWorld>): Trial {
  let world: DriverWorld
  let driver: ComputeDriver

  beforeEach(async () => {
    world = await makeWorld()
    driver = await world.driver(HOST)
  })

  afterEach(async () => {
    await world.close()
  })

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

  return {
    get world() {
      return world
    },
    get driver() {
      return driver
    },
    makeGuest,
    makeNamesake: async ({ name }) => makeGuest(name),
  }
}

/** A guest that runs. */
export async function spawned(trial: Trial): Promise<GuestSpec> {
  const guest = await trial.makeGuest()
  await trial.driver.spawn(ctx, guest)
  return guest
}

/** Resolves when the driver has been told of it. */
export async function seen(driver: ComputeDriver, guest: GuestRef, state: PowerState): Promise<void> {
  await until(`the driver sees ${state}`, async () => (await stateOf(driver, guest)) === state)
}

export async function stateOf(driver: ComputeDriver, guest: GuestRef): Promise<PowerState> {
  return (await driver.getInfo(guest)).powerState
}

export async function namesOf(driver: ComputeDriver): Promise<string[]> {
  return (await driver.listInstances()).map(({ name }) => name).sort()
}

/** Collects what a driver tells about one guest. */
export function hear(driver: ComputeDriver, guest: GuestRef): PowerState[] {
  const heard: PowerState[] = []
  driver.onLifecycleEvent((event: LifecycleEvent) => {
    if (event.uid === guest.uid) heard.push(event.powerState)
  })
  return heard
}
