import type { FlavorSize } from '../objects/build-request.ts'
import { type Amounts, amountsOf, minus, NOTHING, plus } from './host-state.ts'

/** What an instance holds on one host. */
export interface Booking {
  readonly host: string
  readonly amounts: Amounts
  /** Whether it is being built or moved there. */
  readonly isBusy: boolean
}

/** What is booked on a host in all. */
export interface Booked {
  readonly amounts: Amounts
  readonly instances: number
  readonly ioOps: number
}

/** As many as instances share at once on a usual host: what nobody holds any more is to be forgotten some time. */
const MAX_SHARED = 64

const EMPTY: Booked = { amounts: NOTHING, instances: 0, ioOps: 0 }

/** Whose an instance is. */
export interface Owner {
  readonly project: string
  /** Its server group, with the namespace. */
  readonly group?: string | undefined
}

/** What the instances of a project hold, each counted once. */
export interface ProjectUsage {
  readonly instances: number
  readonly vcpus: number
  readonly memoryMb: number
}

interface Held {
  readonly bookings: readonly Booking[]
  readonly claim?: Booking | undefined
  readonly owner: Owner
}

const NO_USAGE: ProjectUsage = { instances: 0, vcpus: 0, memoryMb: 0 }
const NO_MEMBERS: ReadonlyMap<string, number> = new Map()

/**
 * Who holds what on which host: what instances are bound to, and claims of decisions whose binding is still being
 * written. An instance that moves holds something on two hosts.
 */
export class BookingLedger {
  readonly #held = new Map<string, Held>()
  readonly #booked = new Map<string, Booked>()
  /** Group → host → members. */
  readonly #groups = new Map<string, Map<string, number>>()
  /** Group → members, each counted once. */
  readonly #groupSizes = new Map<string, number>()
  readonly #projects = new Map<string, ProjectUsage>()
  /** One object for each size there is: there are few, and many instances. */
  readonly #sizes = new Map<string, Amounts>()
  readonly #owners = new Map<string, Owner>()
  /** Host → what instances hold that have a host and do nothing, as most. Few of them differ, so they share it. */
  readonly #shared = new Map<string, Held[]>()
  readonly #onChange: (host: string) => void

  /** @param onChange is told of each host on which something else is booked now. */
  constructor(onChange: (host: string) => void) {
    this.#onChange = onChange
  }

  on(host: string): Booked {
    return this.#booked.get(host) ?? EMPTY
  }

  /** Every host on which something is booked. */
  hosts(): Iterable<string> {
    return this.#booked.keys()
  }

  /** What the instance holds is this and nothing else; its claim stays. */
  book(uid: string, bookings: readonly Booking[], owner: Owner): void {
    const claim = this.#held.get(uid)?.claim
    const held = this.#share(bookings, this.#same(owner))
    this.#hold(uid, claim ? { ...held, claim } : held)
  }

  /**
   * Holds something more for the instance, until its binding is seen or the claim is given back.
   *
   * @param owner need not be given where the instance holds something already
   */
  claim(uid: string, claim: Booking, owner: Owner | undefined): void {
    const held = this.#held.get(uid)
    this.#hold(uid, {
      bookings: held?.bookings ?? [],
      claim,
      owner: this.#same(owner ?? held?.owner ?? { project: '' }),
    })
  }

  /** Ends the claim. */
  settle(uid: string): void {
    const held = this.#held.get(uid)
    if (held) this.#hold(uid, this.#share(held.bookings, held.owner))
  }

  /** How many members of a group each host has, without one of them. To be used at once: it changes. */
  membersOf(group: string, without?: string): ReadonlyMap<string, number> {
    const members = this.#groups.get(group)
    const held = without === undefined ? undefined : this.#held.get(without)
    if (!members || held?.owner.group !== group) return members ?? NO_MEMBERS
    const others = new Map(members)
    for (const host of hostsOf(effective(held))) add(others, host, -1)
    return others
  }

  /** How many members of a group have a host; one that moves has two, and is one. */
  sizeOfGroup(group: string): number {
    return this.#groupSizes.get(group) ?? 0
  }

  /** What the instances of a project hold, without one of them. */
  usageOf(project: string, without?: string): ProjectUsage {
    const usage = this.#projects.get(project) ?? NO_USAGE
    const held = without === undefined ? undefined : this.#held.get(without)
    return held && held.owner.project === project ? sum(usage, effective(held), -1) : usage
  }

  /** The hosts of an instance. */
  hostsOf(uid: string): readonly string[] {
    return [...hostsOf(effective(this.#held.get(uid)))]
  }

  sizeOf(flavor: FlavorSize): Amounts {
    const key = `${flavor.vcpus}/${flavor.memoryMb}/${flavor.diskGb}`
    const known = this.#sizes.get(key)
    if (known) return known
    const size = amountsOf(flavor)
    this.#sizes.set(key, size)
    return size
  }

  #hold(uid: string, held: Held): void {
    const old = this.#held.get(uid)
    const before = effective(old)
    const after = effective(held)
    if (held.bookings.length === 0 && !held.claim) this.#held.delete(uid)
    else this.#held.set(uid, held)
    if (isSame(before, after) && isSameOwner(old?.owner, held.owner)) return
    if (old) this.#countFor(old.owner, before, -1)
    this.#countFor(held.owner, after, 1)
    if (isSame(before, after)) return
    for (const booking of before) this.#count(booking, -1)
    for (const booking of after) this.#count(booking, 1)
    for (const host of hostsOf([...before, ...after])) this.#onChange(host)
  }

  #share(bookings: readonly Booking[], owner: Owner): Held {
    const [booking, another] = bookings
    if (!booking || another) return { bookings, owner }
    const shared = this.#shared.get(booking.host) ?? []
    const known = shared.find((one) => one.owner === owner && isSame(one.bookings, bookings))
    if (known) return known
    const held = { bookings, owner }
    this.#shared.set(booking.host, [...shared, held].slice(-MAX_SHARED))
    return held
  }

  #same(owner: Owner): Owner {
    const key = `${owner.project} ${owner.group ?? ''}`
    const known = this.#owners.get(key)
    if (known) return known
    this.#owners.set(key, owner)
    return owner
  }

  #countFor({ project, group }: Owner, bookings: readonly Booking[], by: 1 | -1): void {
    if (bookings.length === 0) return
    const usage = sum(this.#projects.get(project) ?? NO_USAGE, bookings, by)
    if (usage.instances === 0) this.#projects.delete(project)
    else this.#projects.set(project, usage)
    if (group === undefined) return
    add(this.#groupSizes, group, by)
    const members = this.#groups.get(group) ?? new Map<string, number>()
    for (const host of hostsOf(bookings)) add(members, host, by)
    if (members.size === 0) this.#groups.delete(group)
    else this.#groups.set(group, members)
  }

  #count({ host, amounts, isBusy }: Booking, by: 1 | -1): void {
    const { amounts: sum, instances, ioOps } = this.on(host)
    const booked = {
      amounts: by === 1 ? plus(sum, amounts) : minus(sum, amounts),
      instances: instances + by,
      ioOps: ioOps + (isBusy ? by : 0),
    }
    if (booked.instances > 0) {
      this.#booked.set(host, booked)
      return
    }
    this.#booked.delete(host)
    this.#shared.delete(host)
  }
}

/** A claim whose binding is seen counts no more. */
function effective(held: Held | undefined): readonly Booking[] {
  if (!held) return []
  const { bookings, claim } = held
  if (!claim || bookings.some((one) => isEqual(one, claim))) return bookings
  return [...bookings, claim]
}

function isSame(before: readonly Booking[], after: readonly Booking[]): boolean {
  return (
    before.length === after.length &&
    before.every((one, n) => {
      const other = after[n]
      return other !== undefined && isEqual(one, other) && one.isBusy === other.isBusy
    })
  )
}

function isEqual(a: Booking, b: Booking): boolean {
  return (
    a.host === b.host &&
    a.amounts.vcpus === b.amounts.vcpus &&
    a.amounts.memoryMb === b.amounts.memoryMb &&
    a.amounts.diskGb === b.amounts.diskGb
  )
}

function isSameOwner(a: Owner | undefined, b: Owner): boolean {
  return a?.project === b.project && a.group === b.group
}

function hostsOf(bookings: readonly Booking[]): ReadonlySet<string> {
  return new Set(bookings.map(({ host }) => host))
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}

/** One that moves counts once, by the bigger of its sizes. */
function sum(usage: ProjectUsage, bookings: readonly Booking[], by: 1 | -1): ProjectUsage {
  let vcpus = 0
  let memoryMb = 0
  for (const { amounts } of bookings) {
    vcpus = Math.max(vcpus, amounts.vcpus)
    memoryMb = Math.max(memoryMb, amounts.memoryMb)
  }
  return {
    instances: usage.instances + by,
    vcpus: usage.vcpus + by * vcpus,
    memoryMb: usage.memoryMb + by * memoryMb,
  }
}
