import type { DiskSource, GuestAddress, GuestRef, PowerState } from '../driver.ts'

export interface FakeGuestSize {
  readonly vcpus: number
  /** MiB. */
  readonly memoryMb: number
}

/** A guest as the hypervisor holds it. */
export interface FakeGuest extends GuestRef {
  readonly host: string
  /** Undefined for one that a test put there without one. */
  readonly size: FakeGuestSize | undefined
  readonly powerState: PowerState
  readonly addresses: readonly GuestAddress[]
  /** It was asked to shut itself down, and has not answered yet. */
  readonly isAskedToShutDown: boolean
  /** It pays no heed to being asked, to shut down or to reboot. */
  readonly isStubborn: boolean
  /** How often it was started. */
  readonly runs: number
  /** How often it rebooted itself in this run. */
  readonly reboots: number
  readonly disk: DiskSource | undefined
  /** What it boots from in place of its own disk. */
  readonly rescueDisk: DiskSource | undefined
  /** What it wrote to its serial console in this run. */
  readonly console: readonly string[]
}

/** What a guest is made from, as far as a test says it. */
export interface NewGuest extends GuestRef, Partial<FakeGuestSize> {
  readonly disk?: DiskSource
}

/** A guest before and after a change; `after` is undefined when it was removed. */
export interface FakeGuestChange {
  readonly before: FakeGuest | undefined
  readonly after: FakeGuest | undefined
}

/** What a guest says when it boots. */
const BOOT_LINES = ['Booting', 'Welcome to the fake guest', 'login:'] as const

type Name = Pick<GuestRef, 'namespace' | 'name'>

const keyOf = (guest: Name): string => `${guest.namespace}/${guest.name}`

/**
 * The machines behind the fake driver. It outlives a driver object, so that an agent that is started again
 * finds its guests; one may serve several hosts, whose guests' names are then unique as in a cluster. What a
 * guest or an operator does behind the agent's back is a method here.
 */
export class FakeHypervisor {
  readonly #guests = new Map<string, FakeGuest>()
  readonly #foreign = new Set<string>()
  readonly #listeners = new Set<(change: FakeGuestChange) => void>()
  readonly #hosts = new Set<string>()
  #isBootHeld = false
  #addressesGiven = 0

  /** The guest of that name, whoever's it is. */
  find(guest: Name): FakeGuest | undefined {
    return this.#guests.get(keyOf(guest))
  }

  guestsOf(host: string): readonly FakeGuest[] {
    return [...this.#guests.values()].filter((guest) => guest.host === host)
  }

  /** From now on guests can be moved to this host. */
  serve(host: string): void {
    this.#hosts.add(host)
  }

  hosts(): readonly string[] {
    return [...this.#hosts]
  }

  /** Calls back after every change; the returned function ends it. */
  onChange(listener: (change: FakeGuestChange) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Makes a guest that is not started yet. */
  define(spec: NewGuest, host: string): void {
    this.#put(newGuest(spec, host))
  }

  /** The guest is on this host now, in this size and switched off, wherever it was. */
  place(spec: NewGuest, host: string): FakeGuest {
    const found = this.find(spec)
    const off = { powerState: 'SHUTDOWN', addresses: [], isAskedToShutDown: false } as const
    const placed = { ...newGuest(spec, host), runs: found?.runs ?? 0, ...off }
    this.#put(placed)
    return placed
  }

  /** The guest goes on as it is, on another host. */
  move(guest: Name, host: string): void {
    this.#update(guest, { host })
  }

  /** Starts a guest; it runs at once unless booting is held. */
  boot(guest: Name): void {
    const found = this.find(guest)
    if (!found || this.#isBootHeld) return
    const runs = found.runs + 1
    this.#update(guest, { ...this.#running(), runs, reboots: 0, console: BOOT_LINES })
  }

  askToShutDown(guest: Name): void {
    this.#update(guest, { isAskedToShutDown: true })
    if (this.find(guest)?.isStubborn === false) this.powerOff(guest)
  }

  /** The guest is off: it shut itself down, or its plug was pulled. */
  powerOff(guest: Name): void {
    this.#update(guest, { powerState: 'SHUTDOWN', addresses: [], isAskedToShutDown: false })
  }

  pause(guest: Name): void {
    this.#update(guest, { powerState: 'PAUSED' })
  }

  unpause(guest: Name): void {
    this.#update(guest, { powerState: 'RUNNING' })
  }

  /** Its memory goes to disk, and it is off. */
  suspend(guest: Name): void {
    this.#update(guest, { powerState: 'SUSPENDED', addresses: [] })
  }

  /** It goes on where it was suspended. */
  resume(guest: Name): void {
    if (!this.#isBootHeld) this.#update(guest, this.#running())
  }

  askToReboot(guest: Name): void {
    const found = this.find(guest)
    if (!found || found.isStubborn) return
    this.#update(guest, { reboots: found.reboots + 1, console: [...found.console, ...BOOT_LINES] })
  }

  /** What it boots from the next time; undefined is its own disk. */
  setRescueDisk(guest: Name, rescueDisk: DiskSource | undefined): void {
    this.#update(guest, { rescueDisk })
  }

  crash(guest: Name): void {
    this.#update(guest, { powerState: 'CRASHED', addresses: [], isAskedToShutDown: false })
  }

  remove(guest: Name): void {
    const before = this.find(guest)
    if (!before) return
    this.#guests.delete(keyOf(guest))
    this.#tell({ before, after: undefined })
  }

  makeStubborn(guest: Name): void {
    this.#update(guest, { isStubborn: true })
  }

  /** From now on guests that are started do not come up. */
  holdBoot(): void {
    this.#isBootHeld = true
  }

  /** Those that are started from now on do. */
  releaseBoot(): void {
    this.#isBootHeld = false
  }

  /** Puts a machine of somebody else's under that name. */
  putForeign(machine: Name): void {
    this.#foreign.add(keyOf(machine))
  }

  hasForeign(machine: Name): boolean {
    return this.#foreign.has(keyOf(machine))
  }

  #put(guest: FakeGuest): void {
    const before = this.find(guest)
    this.#guests.set(keyOf(guest), guest)
    this.#tell({ before, after: guest })
  }

  #update(guest: Name, change: Partial<FakeGuest>): void {
    const before = this.find(guest)
    if (before) this.#put({ ...before, ...change })
  }

  #tell(change: FakeGuestChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #running(): Pick<FakeGuest, 'powerState' | 'addresses'> {
    return { powerState: 'RUNNING', addresses: [{ address: this.#nextAddress(), network: 'fake' }] }
  }

  #nextAddress(): string {
    const n = ++this.#addressesGiven
    return `10.0.${(n >> 8) & 0xff}.${n & 0xff}`
  }
}

function newGuest({ namespace, name, uid, vcpus, memoryMb, disk }: NewGuest, host: string): FakeGuest {
  return {
    namespace,
    name,
    uid,
    host,
    size: vcpus === undefined || memoryMb === undefined ? undefined : { vcpus, memoryMb },
    powerState: 'NOSTATE',
    addresses: [],
    isAskedToShutDown: false,
    isStubborn: false,
    runs: 0,
    reboots: 0,
    disk,
    rescueDisk: undefined,
    console: [],
  }
}
