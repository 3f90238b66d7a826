import type { BuildRequest, FlavorSize } from '../../src/objects/build-request.ts'
import { trimInstance } from '../../src/scheduler/trim-instance.ts'
import { makeComputeNode, makeInstance, makeRequest } from '../../src/testing/builders.ts'
import { SchedulerWorld } from '../../src/testing/scheduler-world.ts'

/** The classic flavors, with how often each is asked for. */
const FLAVORS: readonly (readonly [FlavorSize, number])[] = [
  [{ name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }, 20],
  [{ name: 'm1.small', vcpus: 1, memoryMb: 2048, diskGb: 20 }, 35],
  [{ name: 'm1.medium', vcpus: 2, memoryMb: 4096, diskGb: 40 }, 25],
  [{ name: 'm1.large', vcpus: 4, memoryMb: 8192, diskGb: 80 }, 12],
  [{ name: 'm1.xlarge', vcpus: 8, memoryMb: 16_384, diskGb: 160 }, 8],
]
const HARDWARE = [
  { vcpus: 32, memoryMb: 196_608, diskGb: 2000 },
  { vcpus: 48, memoryMb: 262_144, diskGb: 4000 },
  { vcpus: 64, memoryMb: 393_216, diskGb: 4000 },
]

/** Numbers below `n`, the same ones in every run. */
export function randomOf(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

export interface Bound {
  readonly uid: string
  readonly host: string
  readonly flavor: FlavorSize
}

/** Hosts and their instances, told to a scheduler as the watch would tell it. */
export class World {
  readonly scheduler = new SchedulerWorld({
    defaults: {
      ratios: { cpu: 4, memory: 1, disk: 1 },
      reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 },
    },
    trim: trimInstance,
  })
  readonly random = randomOf(11)
  readonly instances: Bound[] = []
  #made = 0

  fill(hosts: number, instancesEach: number): void {
    this.scheduler.start()
    for (let n = 0; n < hosts; n++) {
      const name = `node-${String(n).padStart(5, '0')}`
      const inventory = HARDWARE[this.random(HARDWARE.length)] ?? { vcpus: 1, memoryMb: 1, diskGb: 1 }
      this.scheduler.nodes.tell(
        makeComputeNode({ name, status: { inventory, availabilityZone: `zone-${n % 3}` } }),
      )
      for (let each = 0; each < instancesEach; each++) this.bind(this.newUid(), name, this.flavor())
    }
  }

  newUid(): string {
    return `instance-${this.#made++}`
  }

  flavor(): FlavorSize {
    let left = this.random(100)
    for (const [flavor, share] of FLAVORS) {
      left -= share
      if (left < 0) return flavor
    }
    throw new Error('the shares do not add up to 100')
  }

  request(flavor: FlavorSize): BuildRequest {
    return makeRequest({ flavor, instance: { uid: this.newUid() } })
  }

  /** What the watch shows of an instance that was bound and built. */
  bind(uid: string, host: string, flavor: FlavorSize): void {
    this.scheduler.instances.tell(
      makeInstance({ name: uid, uid, status: { vmState: 'active', host, flavor } }),
    )
    this.instances.push({ uid, host, flavor })
  }

  /** One instance, any, is deleted: so the cluster stays as full as it is. */
  deleteOne(): void {
    const at = this.random(this.instances.length)
    const one = this.instances[at]
    const last = this.instances.pop()
    if (!one || !last) return
    if (one !== last) this.instances[at] = last
    this.scheduler.instances.tellGone(makeInstance({ name: one.uid, uid: one.uid }))
  }
}
