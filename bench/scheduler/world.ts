import {
  HOST_AGGREGATE,
  type HostAggregate,
  type HostAggregateSpec,
} from '../../src/apis/v1alpha1/host-aggregate.ts'
import { SERVER_GROUP, type ServerGroup } from '../../src/apis/v1alpha1/server-group.ts'
import { apiVersionOf } from '../../src/kube/resource.ts'
import type { BuildRequest, FlavorSize } from '../../src/objects/build-request.ts'
import { DEFAULT_FILTERS, makeFilters } from '../../src/scheduler/filters/registry.ts'
import type { Policy } from '../../src/scheduler/select-destination.ts'
import { InstanceTrimmer } from '../../src/scheduler/trim-instance.ts'
import { makeComputeNode, makeInstance, makeRequest } from '../../src/testing/builders.ts'
import { DEFAULT_POLICY, SchedulerWorld } from '../../src/testing/scheduler-world.ts'

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

/** The flavors again, for hosts of one tier. */
const TIERS = ['gold', 'silver']
/** Anti-affinity groups, and how many members each has before the run, in which every request is for one more. */
const GROUPS = 1_000
const MEMBERS = 10

/** What the requests of a run have to do with. */
export type Kind = 'default' | 'groups' | 'aggregates'

/** Numbers below `n`, the same ones in every run. */
export function randomOf(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
}

export function policyFor(kind: Kind): Policy {
  if (kind !== 'aggregates') return DEFAULT_POLICY
  const names = [...DEFAULT_FILTERS, 'AggregateInstanceExtraSpecsFilter', 'AggregateTypeAffinityFilter']
  // Nova's operators leave it out beside the other: both read extra specs without a scope.
  const filters = makeFilters(names.filter((name) => name !== 'ComputeCapabilitiesFilter'))
  return { ...DEFAULT_POLICY, filters }
}

/** Hosts and their instances, told to a scheduler as the watch would tell it. */
export class World {
  readonly scheduler: SchedulerWorld
  readonly random = randomOf(11)
  readonly #kind: Kind
  /** By their numbers. */
  readonly #instances: number[] = []
  #made = 0
  #isFilled = false

  constructor(kind: Kind) {
    this.#kind = kind
    this.scheduler = new SchedulerWorld({
      defaults: {
        ratios: { cpu: 4, memory: 1, disk: 1 },
        reserved: { vcpus: 0, memoryMb: 512, diskGb: 0 },
      },
      policy: policyFor(kind),
      trim: new InstanceTrimmer().trim,
    })
  }

  fill(hosts: number, instancesEach: number): void {
    const { nodes, aggregates, groups } = this.scheduler
    this.scheduler.start()
    const names = Array.from({ length: hosts }, (_, n) => `node-${String(n).padStart(5, '0')}`)
    if (this.#kind === 'aggregates') {
      for (const [n, tier] of TIERS.entries()) {
        const members = names.filter((_name, at) => at % TIERS.length === n)
        const metadata = { tier, cpu_allocation_ratio: '2', ram_weight_multiplier: '1.5' }
        aggregates.tell(makeAggregate(`tier-${tier}`, { hosts: members, metadata }))
      }
      for (const zone of [0, 1, 2]) {
        const members = names.filter((_name, at) => at % 3 === zone)
        aggregates.tell(makeAggregate(`zone-${zone}`, { hosts: members, availabilityZone: `az-${zone}` }))
      }
    }
    if (this.#kind === 'groups') {
      for (let n = 0; n < GROUPS; n++) groups.tell(makeServerGroup(`group-${n}`))
    }
    for (const name of names) {
      const inventory = HARDWARE[this.random(HARDWARE.length)] ?? { vcpus: 1, memoryMb: 1, diskGb: 1 }
      nodes.tell(makeComputeNode({ name, status: { inventory, availabilityZone: 'nova' } }))
      for (let each = 0; each < instancesEach; each++) this.bind(this.request(), name)
    }
    this.#isFilled = true
  }

  /** Another instance that somebody asks for. */
  request(): BuildRequest {
    const { name, uid } = identityOf(this.#made++)
    const flavor = this.#flavor()
    const isMember = this.#isFilled || this.#made < GROUPS * MEMBERS
    if (this.#kind === 'groups' && isMember) {
      const hints = { group: `group-${this.random(GROUPS)}` }
      return makeRequest({ flavor, instance: { uid, name }, hints })
    }
    if (this.#kind === 'default') return makeRequest({ flavor, instance: { uid, name } })
    const tier = TIERS[this.random(TIERS.length)] ?? ''
    return makeRequest({
      flavor: { ...flavor, name: `${flavor.name}.${tier}` },
      extraSpecs: { 'aggregate_instance_extra_specs:tier': tier },
      instance: { uid, name },
      availabilityZone: `az-${this.random(3)}`,
    })
  }

  /** What the watch shows of an instance that was bound and built. */
  bind({ instance: { uid, name }, flavor, hints }: BuildRequest, host: string): void {
    const group = hints?.group
    this.scheduler.instances.tell(
      makeInstance({
        name,
        uid,
        resourceVersion: String(10_000_000 + this.#made),
        spec: group === undefined ? {} : { schedulerHints: { group } },
        status: { vmState: 'active', host, flavor },
      }),
    )
    this.#instances.push(numberOf(name))
  }

  /** One instance, any, is deleted: so the cluster stays as full as it is. */
  deleteOne(): void {
    const at = this.random(this.#instances.length)
    const one = this.#instances[at]
    const last = this.#instances.pop()
    if (one === undefined || last === undefined) return
    if (one !== last) this.#instances[at] = last
    this.scheduler.instances.tellGone(makeInstance(identityOf(one)))
  }

  #flavor(): FlavorSize {
    let left = this.random(100)
    for (const [flavor, share] of FLAVORS) {
      left -= share
      if (left < 0) return flavor
    }
    throw new Error('the shares do not add up to 100')
  }
}

/** A uid as long as those of Kubernetes: what it takes in memory counts. */
function identityOf(n: number): { readonly name: string; readonly uid: string } {
  return { name: `instance-${n}`, uid: `${n.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000` }
}

function numberOf(name: string): number {
  return Number(name.slice('instance-'.length))
}

function makeAggregate(name: string, spec: HostAggregateSpec): HostAggregate {
  return { apiVersion: apiVersionOf(HOST_AGGREGATE), kind: HOST_AGGREGATE.kind, metadata: { name }, spec }
}

function makeServerGroup(name: string): ServerGroup {
  return {
    apiVersion: apiVersionOf(SERVER_GROUP),
    kind: SERVER_GROUP.kind,
    metadata: { namespace: 'default', name },
    spec: { policy: 'anti-affinity' },
  }
}
