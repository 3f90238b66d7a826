import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { SystemClock } from '../common/clock.ts'
import { serviceContext } from '../common/context.ts'
import { ApiServer } from '../dev/apiserver/server.ts'
import { kubevirtCrds } from '../dev/crds.ts'
import { HttpKubeClient } from '../kube/http-client.ts'
import type { ComputeDriver, GuestSpec } from '../virt/driver.ts'
import {
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '../virt/kubevirt/resources.ts'
import { type KubeVirtWorld, makeKubeVirtWorld } from './kubevirt-world.ts'
import { captureLog, type LogCapture } from './log-capture.ts'
import { recordWrites } from './recording-client.ts'
import { until } from './until.ts'

/** KubeVirt in the embedded cluster, as the test that runs has it. */
export let world: KubeVirtWorld
/** The driver of node-1. */
export let driver: ComputeDriver
export let client: HttpKubeClient
export let logs: LogCapture
/** What drivers wrote since a guest was made. */
export const writes: string[] = []

const ctx = serviceContext('req-1')
let server: ApiServer
let guests = 0

/** Starts an API server before the tests of a file, and makes a world before each. */
export function useKubeVirt(): void {
  beforeAll(async () => {
    server = new ApiServer({}, { crds: kubevirtCrds() })
    await server.start()
    client = makeClient()
  })
  afterAll(async () => {
    await client.close()
    await server.stop()
  })
  beforeEach(async () => {
    logs = captureLog()
    world = await makeKubeVirtWorld({
      client,
      log: logs.log,
      driverClient: (standIn) => {
        server.aggregate('/apis/subresources.kubevirt.io', (...request) =>
          standIn.handleSubresource(...request),
        )
        return recordWrites(makeClient(), writes)
      },
    })
    driver = await world.driver('node-1')
  })
  afterEach(() => world.close())
}

/** The guest is shut off, and what that took is not counted. */
export async function off(guest: GuestSpec): Promise<void> {
  await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
  writes.length = 0
}

/** A client of its own, as another process has it. */
export function makeClient(): HttpKubeClient {
  return HttpKubeClient.fromKubeConfig({ server: server.url }, { clock: new SystemClock() })
}

/** A guest that runs on node-1. */
export async function spawn(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
  const ref = { namespace: 'default', name: `guest-${++guests}` }
  const uid = await world.makeInstance(ref)
  const disk = { kind: 'containerDisk', image: 'cirros' } as const
  const size = { vcpus: 1, memoryMb: 512, diskGb: 0 }
  const guest = { ...ref, uid, hostname: ref.name, ...size, disk, properties: {}, ...change }
  await driver.spawn(ctx, guest)
  writes.length = 0
  return guest
}

export function refOf({ namespace, name }: GuestSpec): { namespace: string; name: string } {
  return { namespace, name }
}

export async function vmOf(guest: GuestSpec): Promise<VirtualMachine> {
  return client.get(VIRTUAL_MACHINE, refOf(guest))
}

export async function vmiOf(guest: GuestSpec): Promise<VirtualMachineInstance> {
  return client.get(VIRTUAL_MACHINE_INSTANCE, refOf(guest))
}

/** What a driver does, with its clock put on for as long as it waits for what may come or pass by itself. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let isDone = false
  const settled = work.finally(() => (isDone = true))
  settled.catch(() => undefined)
  await until('it is done', () => {
    if (!isDone) world.clock.skip(1_000)
    return isDone
  })
  return settled
}
