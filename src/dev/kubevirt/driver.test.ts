import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { serviceContext } from '../../common/context.ts'
import { BuildAbortException, InstanceDeployFailure } from '../../common/errors/guest.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { describeDriverContract } from '../../testing/driver-contract.ts'
import { type KubeVirtWorld, makeKubeVirtWorld } from '../../testing/kubevirt-world.ts'
import { captureLog, type LogCapture } from '../../testing/log-capture.ts'
import { recordWrites } from '../../testing/recording-client.ts'
import { SkippingClock } from '../../testing/skipping-clock.ts'
import { until } from '../../testing/until.ts'
import type { ComputeDriver, GuestSpec } from '../../virt/driver.ts'
import { KubeVirtDriver } from '../../virt/kubevirt/driver.ts'
import { NODE, SECRET, VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../virt/kubevirt/resources.ts'
import { ApiServer } from '../apiserver/server.ts'
import { NODE_GUESTS_ANNOTATION } from './behaviour.ts'
import { kubevirtCrds } from '../crds.ts'
import { Kubelet } from './kubelet.ts'
import type { KubeVirtStandIn } from './stand-in.ts'

const server = new ApiServer({}, { crds: kubevirtCrds() })
const ctx = serviceContext('req-1')
const writes: string[] = []
let client: HttpKubeClient
let kubelet: Kubelet
let kubeletPort: number

beforeAll(async () => {
  await server.start()
  client = makeClient()
  kubelet = new Kubelet({ client, clock: new SystemClock() })
  kubeletPort = await kubelet.start()
})

afterAll(async () => {
  await kubelet.stop()
  await client.close()
  await server.stop()
})

function makeClient(): HttpKubeClient {
  return HttpKubeClient.fromKubeConfig({ server: server.url }, { clock: new SystemClock() })
}

/** As the embedded cluster does it: KubeVirt's own API is answered by the stand-in. */
function driverClient(standIn: KubeVirtStandIn): KubeClient {
  server.aggregate('/apis/subresources.kubevirt.io', (...request) => standIn.handleSubresource(...request))
  return recordWrites(makeClient(), writes)
}

describeDriverContract('KubeVirt in the embedded cluster', async () =>
  makeKubeVirtWorld({ client, log: captureLog().log, driverClient, kubeletPort }),
)

describe('KubeVirtDriver', () => {
  let world: KubeVirtWorld
  let driver: ComputeDriver
  let logs: LogCapture
  let guests = 0

  beforeEach(async () => {
    logs = captureLog()
    world = await makeKubeVirtWorld({ client, log: logs.log, driverClient })
    driver = await world.driver('node-1')
    writes.length = 0
  })

  afterEach(async () => {
    await world.close()
  })

  async function makeGuest(change: Partial<GuestSpec> = {}): Promise<GuestSpec> {
    const ref = { namespace: 'default', name: `own-${++guests}` }
    return {
      ...ref,
      uid: await world.makeInstance(ref),
      hostname: ref.name,
      vcpus: 1,
      memoryMb: 512,
      diskGb: 0,
      disk: { kind: 'containerDisk', image: 'cirros' },
      properties: {},
      ...change,
    }
  }

  function takeWrites(): string[] {
    return writes.splice(0)
  }

  async function setNode(annotation: string | null): Promise<void> {
    const patch = { metadata: { annotations: { [NODE_GUESTS_ANNOTATION]: annotation } } }
    await client.mergePatch(NODE, { name: world.nodeOf('node-1') }, patch)
  }

  it('writes twice for a launch and once for anything else', async () => {
    const guest = await makeGuest()

    await driver.spawn(ctx, guest)
    expect(takeWrites()).toEqual(['create virtualmachines', 'mergePatch virtualmachines'])
    await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
    expect(takeWrites()).toEqual(['mergePatch virtualmachines'])
    await driver.powerOn(ctx, guest)
    expect(takeWrites()).toEqual(['mergePatch virtualmachines'])
    await driver.powerOff(ctx, guest, { timeoutMs: 0 })
    expect(takeWrites()).toEqual(['PUT stop'])
    await driver.destroy(ctx, guest)
    expect(takeWrites()).toEqual(['delete virtualmachines'])
  })

  it('writes nothing for what is so already', async () => {
    const guest = await makeGuest()
    await driver.spawn(ctx, guest)
    takeWrites()

    await driver.powerOn(ctx, guest)
    await driver.spawn(ctx, guest)
    expect(takeWrites()).toEqual([])
    await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
    takeWrites()
    await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
    expect(takeWrites()).toEqual([])
  })

  it('tells each step once, under the request and the instance', async () => {
    const guest = await makeGuest()

    await driver.spawn(ctx, guest)
    await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
    await driver.powerOn(ctx, guest)
    await driver.destroy(ctx, guest)

    const said = logs.at('INFO').map((line) => line.replace(/^.*? INFO /, ''))
    const plain = said.map((line) => line.replace(/ (host|vm|addresses|afterMs|timeoutMs)=\S+/g, ''))
    const prefix = `nova.virt.kubevirt.driver [req-1 - -] [instance: ${guest.uid}]`
    expect(plain).toEqual([
      `${prefix} Created the VirtualMachine`,
      `${prefix} Guest is running`,
      `${prefix} Asked the guest to shut down`,
      `${prefix} Guest is off`,
      `${prefix} Started the guest`,
      `${prefix} Deleted the VirtualMachine`,
    ])
    expect([...logs.at('WARNING'), ...logs.at('ERROR')]).toEqual([])
  })

  it('keeps user data in a Secret that comes and goes with the guest', async () => {
    const guest = await makeGuest({ userData: 'IyEvYmluL3NoCg==' })
    const ref = { namespace: 'default', name: `kilonova-user-data-${guest.uid}-${world.nodeOf('node-1')}` }

    await driver.spawn(ctx, guest)

    expect(await client.get(SECRET, ref)).toMatchObject({ data: { userdata: 'IyEvYmluL3NoCg==' } })
    await driver.destroy(ctx, guest)
    await expect(client.get(SECRET, ref)).rejects.toSatisfy(isNotFound)
  })

  it('misses the user’s own Secret before it makes anything, and takes it when it is there', async () => {
    const guest = await makeGuest({ userDataSecret: `mine-of-${world.nodeOf('node-1')}` })
    const metadata = { namespace: 'default', name: guest.userDataSecret ?? '' }

    await expect(driver.spawn(ctx, guest)).rejects.toThrow(
      `there is no Secret ${metadata.name} in namespace default`,
    )
    expect(await world.exists(guest)).toBe(false)
    await expect(client.get(SECRET, metadata)).rejects.toSatisfy(isNotFound)

    await client.create(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata, data: { userdata: 'YQ==' } })
    expect(await driver.spawn(ctx, guest)).toMatchObject({ powerState: 'RUNNING' })
    await driver.destroy(ctx, guest)
    expect((await client.get(SECRET, metadata)).data).toEqual({ userdata: 'YQ==' })
    await client.delete(SECRET, metadata)
  })

  it('has a VM that is its own, pinned, and says which request made it', async () => {
    const guest = await makeGuest()

    await driver.spawn(ctx, guest)

    const vm = await client.get(VIRTUAL_MACHINE, { namespace: 'default', name: guest.name })
    const vmi = await client.get(VIRTUAL_MACHINE_INSTANCE, { namespace: 'default', name: guest.name })
    expect(vm.metadata.annotations).toMatchObject({ 'compute.kilonova.dev/request-id': 'req-1' })
    expect(vmi.status?.nodeName).toBe(world.nodeOf('node-1'))
    expect(vmi.metadata.labels).toMatchObject({ 'compute.kilonova.dev/instance-uid': guest.uid })
  })

  describe('fails', () => {
    it.each([
      { word: 'unschedulable', afterMs: 20_000, reason: 'its launcher Pod cannot be scheduled' },
      { word: 'image-pull-error', afterMs: 20_000, reason: 'its image cannot be pulled' },
      { word: 'never-boots', afterMs: 600_000, reason: 'did not run within 600 s (its VMI is Scheduled)' },
      { word: 'crashes-at-boot', afterMs: 0, reason: 'the guest ended before it ran' },
    ])('a build on a node where guests are $word', async ({ word, afterMs, reason }) => {
      const guest = await makeGuest()
      await setNode(word)
      const spawning = driver.spawn(ctx, guest)
      const failed = spawning.catch((error: unknown) => error)
      const ref = { namespace: 'default', name: guest.name }
      await until('KubeVirt says so', async () => {
        const vm = await client.get(VIRTUAL_MACHINE, ref).catch(() => undefined)
        const vmi = await client.get(VIRTUAL_MACHINE_INSTANCE, ref).catch(() => undefined)
        return (
          (vm?.status?.printableStatus ?? '').startsWith('Err') ||
          /Scheduled|Failed/.test(vmi?.status?.phase ?? '')
        )
      })

      // The driver hears of it a moment after us, and only then begins to count.
      let error: unknown
      void failed.then((reason) => (error = reason))
      await until('the build has failed', () => {
        world.clock.skip(afterMs / 10)
        return error !== undefined
      })

      expect(error).toBeInstanceOf(InstanceDeployFailure)
      expect(String(error)).toContain(reason)
      await setNode(null)
      await driver.destroy(ctx, guest)
      expect(await world.exists(guest)).toBe(false)
    })

    it('nothing when an obstacle goes away in time', async () => {
      const guest = await makeGuest()
      await setNode('unschedulable')
      const spawning = driver.spawn(ctx, guest)
      await until('KubeVirt says so', async () => {
        const ref = { namespace: 'default', name: guest.name }
        const vm = await client.get(VIRTUAL_MACHINE, ref).catch(() => undefined)
        return vm?.status?.printableStatus === 'ErrorUnschedulable'
      })

      await setNode(null)

      await expect(spawning).resolves.toMatchObject({ powerState: 'RUNNING' })
    })

    it('a build that the API server refuses, on every host', async () => {
      const guest = await makeGuest({ name: 'No_DNS_name' })

      await expect(driver.spawn(ctx, guest)).rejects.toThrow(BuildAbortException)
    })
  })

  it('forces a guest off that does not let itself be removed', async () => {
    const guest = await makeGuest()
    await driver.spawn(ctx, guest)
    await world.makeStubborn(guest)
    takeWrites()

    const destroying = driver.destroy(ctx, guest)
    await until('the guest is asked', () => world.isAskedToShutDown(guest))
    await world.elapse(10_000)

    await destroying
    expect(takeWrites()).toEqual(['delete virtualmachines', 'PUT stop'])
    expect(await world.exists(guest)).toBe(false)
  })
})

describe('KubeVirtDriver without KubeVirt', () => {
  it('says exactly that, once, and goes on when it is there', async () => {
    const bare = new ApiServer()
    await bare.start()
    const logs = captureLog()
    const clock = new SkippingClock()
    const bareClient = HttpKubeClient.fromKubeConfig({ server: bare.url }, { clock })
    const driver = new KubeVirtDriver({ client: bareClient, clock, log: logs.log }, { host: 'node-1' })

    const starting = driver.start()
    await until('it says so', () => logs.at('WARNING').length > 0)
    clock.skip(10_000)
    for (const crd of kubevirtCrds()) bare.installCrd(crd)
    let isStarted = false
    void starting.then(() => (isStarted = true))
    await until('it has started', () => {
      clock.skip(1_000)
      return isStarted
    })

    expect(logs.at('WARNING')).toEqual([
      expect.stringContaining('KubeVirt is not installed: no resource virtualmachines.kubevirt.io'),
    ])
    expect(logs.at('INFO').at(-1)).toContain('KubeVirt can be used now')
    await driver.stop()
    await bareClient.close()
    await bare.stop()
  })
})
