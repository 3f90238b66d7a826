import type { Clock, Timer } from '../common/clock.ts'

interface Pending {
  dueMs: number
  readonly order: number
  readonly everyMs?: number
  readonly task: () => void
}

/**
 * A Clock that stands still until a test moves it. Timers run in the order in which they fall due; a timer set
 * by another one runs in the same `advance` when it falls due within it.
 */
export class FakeClock implements Clock {
  readonly #timers = new Set<Pending>()
  #nowMs: number
  #order = 0

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  after(ms: number, task: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + Math.max(0, ms), order: this.#order++, task })
  }

  every(ms: number, task: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + ms, order: this.#order++, everyMs: Math.max(1, ms), task })
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel()
        reject(signal?.reason)
      }
      const timer = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** How many timers are set: a test that expects none finds a leak with it. */
  get timers(): number {
    return this.#timers.size
  }

  /** Milliseconds until the next timer falls due; undefined when none is set. */
  get nextInMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY)
    return next && next.dueMs - this.#nowMs
  }

  /** Moves time on by `ms`, running what falls due and letting promises settle before and after each timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle()
    for (let timer = this.#next(endMs); timer; timer = this.#next(endMs)) {
      this.#run(timer)
      await settle()
    }
    this.#nowMs = endMs
  }

  /** As `advance`, at once: for code without promises. */
  jump(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let timer = this.#next(endMs); timer; timer = this.#next(endMs)) this.#run(timer)
    this.#nowMs = endMs
  }

  #add(timer: Pending): Timer {
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  #run(timer: Pending): void {
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    if (timer.everyMs === undefined) this.#timers.delete(timer)
    else timer.dueMs += timer.everyMs
    timer.task()
  }

  #next(endMs: number): Pending | undefined {
    let next: Pending | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue
      const sooner =
        !next || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)
      if (sooner) next = timer
    }
    return next
  }
}

/** Lets everything run that waits on promises alone. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
