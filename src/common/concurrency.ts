/** Lets at most so many pieces of work run at once (0: any number); the rest wait in the order they came. */
export class Concurrency {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit === 0 ? Number.POSITIVE_INFINITY : limit
  }

  /** Rejects with the reason of `signal` when that is aborted while the work waits; it leaves the line then. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#running >= this.#limit) await this.#place(signal)
    else this.#running += 1
    try {
      return await work()
    } finally {
      // The place goes straight to the next in line, so that nobody can slip in between.
      const [next] = this.#waiting
      if (next) next()
      else this.#running -= 1
    }
  }

  async #place(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => {
      this.#waiting.delete(enter)
      reject(signal?.reason)
    }
    const enter = (): void => {
      this.#waiting.delete(enter)
      signal?.removeEventListener('abort', leave)
      resolve()
    }
    signal?.throwIfAborted()
    this.#waiting.add(enter)
    signal?.addEventListener('abort', leave, { once: true })
    await promise
  }
}
