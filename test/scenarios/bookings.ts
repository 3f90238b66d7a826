import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { INSTANCE, type Instance } from '../../src/apis/v1alpha1/instance.ts'
import { SystemClock } from '../../src/common/clock.ts'
import { loggerTo } from '../../src/common/log.ts'
import { Informer } from '../../src/kube/informer.ts'
import { VIRTUAL_MACHINE } from '../../src/virt/kubevirt/resources.ts'
import { HOST_LABEL, INSTANCE_UID_LABEL } from '../../src/virt/kubevirt/ownership.ts'
import { eventually } from './eventually.ts'
import type { Guests, World } from './world.ts'

interface Capacity {
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
}

const CPU_RATIO = 4
const RESERVED_MEMORY_MB = 512

/** What a simulated host of 8 CPUs and 32 GiB may be booked with. */
const SIMULATED: Capacity = { vcpus: 8 * CPU_RATIO, memoryMb: 32 * 1024 - RESERVED_MEMORY_MB, diskGb: 500 }

/**
 * Watches a world for the two things that must never be, not even for a moment: a host booked with more than
 * it may be, and a second VM for an instance that had one on a host that did not fail it.
 */
export class Bookings {
  readonly #capacity: Capacity
  readonly #instances: Informer<Instance>
  readonly #vms: Informer<NonNullable<(typeof VIRTUAL_MACHINE)['object']>>
  readonly #vmsOf = new Map<string, Set<string>>()
  readonly #mostVms = new Map<string, number>()
  /** What was seen that must not be. */
  readonly wrongs: string[] = []
  /** The most that was booked on a host at any time, in MiB of memory. */
  readonly highest = new Map<string, number>()

  static async of(world: World, guests: Guests = 'simulated'): Promise<Bookings> {
    return new Bookings(world, guests === 'simulated' ? SIMULATED : await capacityOfHosts(world))
  }

  private constructor(world: World, capacity: Capacity) {
    this.#capacity = capacity
    const log = loggerTo(() => undefined, { format: 'text', level: 'error' })
    const deps = { client: world.client, clock: new SystemClock(), log }
    this.#instances = new Informer(deps, { type: INSTANCE })
    this.#vms = new Informer(deps, { type: VIRTUAL_MACHINE })
  }

  async start(): Promise<void> {
    this.#instances.onChange(() => this.#add())
    this.#vms.onChange(({ type, object }) => {
      const instance = object.metadata.labels?.[INSTANCE_UID_LABEL]
      if (type === 'added' && instance) this.#saw(instance, object.metadata.uid ?? '')
      this.#countVms()
    })
    this.#instances.start()
    this.#vms.start()
    await Promise.all([this.#instances.synced(), this.#vms.synced()])
  }

  async stop(): Promise<void> {
    await Promise.all([this.#instances.stop(), this.#vms.stop()])
  }

  /** How many VMs an instance that has one has had: waits until the first is seen, for this watches too. */
  async vmsSeen(uid: string | undefined): Promise<number> {
    return eventually(`a VM of ${uid} is seen`, () => this.vmsOf(uid) || undefined)
  }

  /** How many VMs an instance has had. */
  vmsOf(uid: string | undefined): number {
    return this.#vmsOf.get(uid ?? '')?.size ?? 0
  }

  /** The most VMs of a namespace that were on a host at any time. */
  mostVms(namespace: string, host: string): number {
    return this.#mostVms.get(`${namespace}/${host}`) ?? 0
  }

  #countVms(): void {
    const counts = new Map<string, number>()
    for (const { metadata } of this.#vms.store.list()) {
      const place = `${metadata.namespace}/${metadata.labels?.[HOST_LABEL]}`
      counts.set(place, (counts.get(place) ?? 0) + 1)
    }
    for (const [place, count] of counts) {
      this.#mostVms.set(place, Math.max(this.#mostVms.get(place) ?? 0, count))
    }
  }

  #saw(instance: string, vm: string): void {
    const vms = this.#vmsOf.get(instance) ?? new Set()
    this.#vmsOf.set(instance, vms.add(vm))
  }

  #add(): void {
    const sums = new Map<string, { vcpus: number; memoryMb: number; diskGb: number }>()
    for (const { status } of this.#instances.store.list()) {
      const { host, flavor, vmState } = status
      if (!host || !flavor || vmState === 'deleted') continue
      const sum = sums.get(host) ?? { vcpus: 0, memoryMb: 0, diskGb: 0 }
      sum.vcpus += flavor.vcpus
      sum.memoryMb += flavor.memoryMb
      sum.diskGb += flavor.diskGb
      sums.set(host, sum)
    }
    for (const [host, sum] of sums) {
      this.highest.set(host, Math.max(this.highest.get(host) ?? 0, sum.memoryMb))
      for (const kind of ['vcpus', 'memoryMb', 'diskGb'] as const) {
        if (sum[kind] > this.#capacity[kind]) this.wrongs.push(`${host} is booked with ${sum[kind]} ${kind}`)
      }
    }
  }
}

/** The hosts of a real world are alike too: they share one machine. */
async function capacityOfHosts(world: World): Promise<Capacity> {
  const { items } = await world.client.list(COMPUTE_NODE)
  const of = (kind: keyof Capacity): number =>
    Math.max(...items.map(({ status }) => status?.inventory?.[kind] ?? 0))
  return {
    vcpus: of('vcpus') * CPU_RATIO,
    memoryMb: of('memoryMb') - RESERVED_MEMORY_MB,
    diskGb: of('diskGb'),
  }
}
