/** Milliseconds between tries to connect: of one kind of trouble, from the first to the last. */
interface Range {
  readonly first: number
  readonly last: number
}

/** Nobody was there to be troubled. */
const CHEAP: Range = { first: 50, last: 1000 }
/** The broker shook hands with us, and perhaps had somebody asked who we are. */
const COSTLY: Range = { first: 500, last: 5000 }

/** The longest pause between two tries to reach a broker that is not there. */
export const LONGEST_CHEAP_PAUSE_MS = CHEAP.last

/**
 * How long to wait between tries to connect: twice as long each time, up to a bound, and never all clients at once. After a
 * broker was away all come, and a try that it took up and could not finish in time cost it as much as one that it could: who
 * comes again at once keeps it from ever getting through.
 */
export class Redial {
  readonly #random: () => number
  #nextMs = 0

  /** @param random gives 0 to 1. */
  constructor(random: () => number) {
    this.#random = random
  }

  /** @param costly whether the try that failed gave the broker work. */
  pauseMs(costly: boolean): number {
    const { first, last } = costly ? COSTLY : CHEAP
    const pauseMs = Math.min(Math.max(this.#nextMs, first), last)
    this.#nextMs = pauseMs * 2
    return pauseMs * (0.75 + this.#random() * 0.5)
  }
}
