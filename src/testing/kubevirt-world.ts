import { SystemClock } from '../common/clock.ts'
import type { Logger } from '../common/log.ts'
import { REBOOTS_ANNOTATION } from '../dev/kubevirt/behaviour.ts'
import { KubeVirtStandIn } from '../dev/kubevirt/stand-in.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import {
  defineResource,
  type KubeObject,
  type ObjectRef,
  refOf,
  type ResourceType,
} from '../kube/resource.ts'
import type { GuestRef } from '../virt/driver.ts'
import { KubeVirtGuestAssignment } from '../virt/kubevirt/assignment.ts'
import { KubeVirtDriver } from '../virt/kubevirt/driver.ts'
import { parseQuantity } from '../virt/kubevirt/quantity.ts'
import {
  NODE,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '../virt/kubevirt/resources.ts'
import { type DriverWorld, HOSTS } from './driver-contract.ts'
import { makeNode } from './make-node.ts'
import { SkippingClock } from './skipping-clock.ts'
import { until } from './until.ts'

export interface KubeVirtWorldOptions {
  readonly client: KubeClient
  readonly log: Logger
  /** The client the drivers use; it reaches the stand-in's subresources. */
  readonly driverClient: (standIn: KubeVirtStandIn) => KubeClient
  /** The port of a `Kubelet`: guests then have a console that can be read. */
  readonly kubeletPort?: number
  readonly standIn?: { readonly bootMs?: number; readonly shutdownMs?: number }
}

const CONFIG_MAP = defineResource({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
})

/** The contract's world, and what tests of KubeVirt alone need of it. */
export interface KubeVirtWorld extends DriverWorld {
  readonly standIn: KubeVirtStandIn
  readonly clock: SkippingClock
  /** The node that is called `host` in this world. */
  nodeOf(host: string): string
}

let worlds = 0
let owners = 0

/** The driver contract's world on an API server with KubeVirt's two kinds, run by the stand-in. */
export async function makeKubeVirtWorld(options: KubeVirtWorldOptions): Promise<KubeVirtWorld> {
  const { client, log } = options
  const clock = new SkippingClock()
  // An API server may be shared by tests: each world has nodes of its own.
  const prefix = `world-${++worlds}`
  const nodeOf = (host: string): string => `${prefix}-${host}`
  let isBootHeld = false
  const standIn = new KubeVirtStandIn(
    { client, clock: new SystemClock(), log },
    {
      bootMs: 2,
      shutdownMs: 1,
      hasLaunchers: options.kubeletPort !== undefined,
      ...options.standIn,
      behaviour: () => (isBootHeld ? { boot: 'never' } : {}),
    },
  )
  for (const host of HOSTS) await makeNode(client, nodeOf(host), { kubeletPort: options.kubeletPort })
  await standIn.start()
  const drivers: KubeVirtDriver[] = []
  const foreign = new Map<string, VirtualMachine>()

  return {
    standIn,
    clock,
    nodeOf,
    makeInstance: async (ref) => makeOwner(client, ref),
    driver: async (host) => {
      const deps = { client: options.driverClient(standIn), clock, log }
      const driver = new KubeVirtDriver(deps, { host: nodeOf(host) })
      drivers.push(driver)
      await driver.start()
      return driver
    },
    assignment: new KubeVirtGuestAssignment({ client, clock, log }),
    sizeOf: async (guest) => sizeOf(await find(client, VIRTUAL_MACHINE_INSTANCE, guest)),
    putForeign: async (guest) => {
      foreign.set(guest.uid, await client.create(VIRTUAL_MACHINE, makeForeign(guest)))
    },
    isForeignIntact: async (guest) => {
      const vm = await find(client, VIRTUAL_MACHINE, guest)
      const { metadata, spec } = foreign.get(guest.uid) ?? {}
      return (
        vm?.metadata.uid === metadata?.uid &&
        vm?.metadata.deletionTimestamp === undefined &&
        vm?.metadata.ownerReferences === undefined &&
        JSON.stringify(vm?.spec) === JSON.stringify(spec)
      )
    },
    makeStubborn: async (guest) => standIn.setGuest(plain(guest), 'stubborn'),
    isAskedToShutDown: async (guest) => {
      const vmi = await find(client, VIRTUAL_MACHINE_INSTANCE, guest)
      return vmi?.metadata.deletionTimestamp !== undefined
    },
    guestPowersOff: async (guest) => standIn.guestPowersOff(plain(guest)),
    guestCrashes: async (guest) => standIn.guestCrashes(plain(guest)),
    runOf: async (guest) => (await find(client, VIRTUAL_MACHINE_INSTANCE, guest))?.metadata.uid ?? 'none',
    rebootsOf: async (guest) => {
      const vmi = await find(client, VIRTUAL_MACHINE_INSTANCE, guest)
      return Number(vmi?.metadata.annotations?.[REBOOTS_ANNOTATION] ?? 0)
    },
    imagesOf: async (guest) => imagesOf(await find(client, VIRTUAL_MACHINE_INSTANCE, guest)),
    canSuspend: false,
    seesReboots: false,
    removeGuest: async (guest) => client.delete(VIRTUAL_MACHINE, plain(guest)),
    holdBoot: () => {
      isBootHeld = true
    },
    releaseBoot: async () => {
      isBootHeld = false
      for (const host of HOSTS) await touchNode(client, nodeOf(host))
    },
    exists: async (guest) => {
      const [vm, vmi] = await Promise.all([
        find(client, VIRTUAL_MACHINE, guest),
        find(client, VIRTUAL_MACHINE_INSTANCE, guest),
      ])
      return vm !== undefined || vmi !== undefined
    },
    elapse: async (ms) => clock.skip(ms),
    close: async () => {
      await Promise.all(drivers.map(async (driver) => driver.stop()))
      await removeAll(client, standIn)
      await standIn.stop()
      for (const host of HOSTS) await client.delete(NODE, { name: nodeOf(host) })
    },
  }
}

/**
 * Any object will do for an instance here: a garbage collector asks whether something of the owner's uid is
 * there, and clears away what belongs to nothing.
 */
async function makeOwner(
  client: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<string> {
  const metadata = { namespace, name: `${name}-${++owners}` }
  const owner = await client.create(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
  return owner.metadata.uid ?? ''
}

function plain({ namespace, name }: GuestRef): { readonly namespace: string; readonly name: string } {
  return { namespace, name }
}

async function find<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  ref: ObjectRef,
): Promise<T | undefined> {
  try {
    return await client.get(type, ref)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/** In the order in which the guest tries them. */
function imagesOf(vmi: VirtualMachineInstance | undefined): string[] {
  const { disks = [] } = vmi?.spec.domain.devices ?? {}
  const inOrder = disks.toSorted((a, b) => (a.bootOrder ?? Infinity) - (b.bootOrder ?? Infinity))
  return inOrder.flatMap(({ name }) => {
    const volume = vmi?.spec.volumes?.find((each) => each.name === name)
    return volume?.containerDisk ? [volume.containerDisk.image] : []
  })
}

/** The stand-in looks again at guests that wait when a node changes. */
async function touchNode(client: KubeClient, name: string): Promise<void> {
  await client.mergePatch(NODE, { name }, { metadata: { annotations: { 'dev.kilonova/touched': 'yes' } } })
}

function sizeOf(
  vmi: VirtualMachineInstance | undefined,
): { readonly vcpus: number; readonly memoryMb: number } | undefined {
  const { cpu, memory } = vmi?.spec.domain ?? {}
  if (!cpu || !memory) return undefined
  return { vcpus: cpu.sockets, memoryMb: (parseQuantity(memory.guest) ?? 0) / 2 ** 20 }
}

function makeForeign({ namespace, name }: GuestRef): VirtualMachine {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { namespace, name },
    spec: {
      runStrategy: 'Halted',
      template: { spec: { domain: { memory: { guest: '64Mi' }, devices: {} } } },
    },
  }
}

/** The next test's world begins empty. */
async function removeAll(client: KubeClient, standIn: KubeVirtStandIn): Promise<void> {
  const { items } = await client.list(VIRTUAL_MACHINE_INSTANCE)
  for (const vmi of items) {
    // A stubborn guest would not let its VM go.
    const ref = { namespace: vmi.metadata.namespace ?? '', name: vmi.metadata.name }
    const patch = { spec: { terminationGracePeriodSeconds: 0 } }
    await client.mergePatch(VIRTUAL_MACHINE_INSTANCE, ref, patch).catch(() => undefined)
    await standIn.setGuest(ref, 'poweroff').catch(() => undefined)
  }
  const vms = await client.list(VIRTUAL_MACHINE)
  for (const vm of vms.items) await client.delete(VIRTUAL_MACHINE, refOf(vm)).catch(() => undefined)
  await until('all guests are gone', async () => {
    const [vmsLeft, vmisLeft] = await Promise.all([
      client.list(VIRTUAL_MACHINE),
      client.list(VIRTUAL_MACHINE_INSTANCE),
    ])
    return vmsLeft.items.length === 0 && vmisLeft.items.length === 0
  })
}
