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

const EMPTY: Booked = { amounts: NOTHING, instances: 0, ioOps: 0 }

interface Held {
  readonly bookings: readonly Booking[]
  readonly claim?: Booking | undefined
}

/**
 * Who holds what on which host: what instances are bound to, and claims of decisions whose binding is still being
 * written. An instance that moves holds something on two hosts.
 */
export class BookingLedger {
  readonly #held = new Map<string, Held>()
  readonly #booked = new Map<string, Booked>()
  /** One object for each size there is: there are few, and many instances. */
  readonly #sizes = new Map<string, Amounts>()
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
  book(uid: string, bookings: readonly Booking[]): void {
    this.#hold(uid, { bookings, claim: this.#held.get(uid)?.claim })
  }

  /** Holds something more for the instance, until its binding is seen or the claim is given back. */
  claim(uid: string, claim: Booking): void {
    this.#hold(uid, { bookings: this.#held.get(uid)?.bookings ?? [], claim })
  }

  /** Ends the claim. */
  settle(uid: string): void {
    this.#hold(uid, { bookings: this.#held.get(uid)?.bookings ?? [] })
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
    const before = effective(this.#held.get(uid))
    const after = effective(held)
    if (held.bookings.length === 0 && !held.claim) this.#held.delete(uid)
    else this.#held.set(uid, held)
    if (isSame(before, after)) return
    for (const booking of before) this.#count(booking, -1)
    for (const booking of after) this.#count(booking, 1)
    for (const host of new Set([...before, ...after].map((one) => one.host))) this.#onChange(host)
  }

  #count({ host, amounts, isBusy }: Booking, by: 1 | -1): void {
    const { amounts: sum, instances, ioOps } = this.on(host)
    const booked = {
      amounts: by === 1 ? plus(sum, amounts) : minus(sum, amounts),
      instances: instances + by,
      ioOps: ioOps + (isBusy ? by : 0),
    }
    if (booked.instances === 0) this.#booked.delete(host)
    else this.#booked.set(host, booked)
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
