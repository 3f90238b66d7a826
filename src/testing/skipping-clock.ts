import type { Clock, Timer } from '../common/clock.ts'

interface Pending {
  readonly dueMs: number
  readonly task: () => void
  timeout: NodeJS.Timeout
}

/**
 * The machine's own clock, on which a test can skip time: for code that does real input and output, where a
 * clock that stands still would keep connections from recovering, and waits too long for a test.
 */
export class SkippingClock implements Clock {
  readonly #timers = new Set<Pending>()
  #skippedMs = 0

  now(): number {
    return Date.now() + this.#skippedMs
  }

  after(ms: number, task: () => void): Timer {
    const timer: Pending = {
      dueMs: this.now() + ms,
      task: () => {
        this.#timers.delete(timer)
        task()
      },
      timeout: setTimeout(() => timer.task(), ms),
    }
    this.#timers.add(timer)
    return {
      cancel: () => {
        clearTimeout(timer.timeout)
        this.#timers.delete(timer)
      },
    }
  }

  every(ms: number, task: () => void): Timer {
    let timer: Timer
    const again = (): void => {
      timer = this.after(ms, again)
      task()
    }
    timer = this.after(ms, again)
    return { cancel: () => timer.cancel() }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = this.after(ms, resolve)
    const onAbort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    await promise
    signal?.removeEventListener('abort', onAbort)
  }

  /** It is `ms` later: what falls due within that runs at once. */
  skip(ms: number): void {
    this.#skippedMs += ms
    for (const timer of this.#timers) {
      clearTimeout(timer.timeout)
      timer.timeout = setTimeout(() => timer.task(), Math.max(0, timer.dueMs - this.now()))
    }
  }
}
