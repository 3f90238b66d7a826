/** A timer that was set; `cancel` is safe to call at any time and more than once. */
export interface Timer {
  cancel(): void
}

/**
 * The one source of time. Everything that waits or reads the time takes a Clock by constructor, so that a
 * test can hold time still. Units are milliseconds.
 */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. */
  now(): number
  /** Calls `task` once after `ms`. The timer alone does not keep the process alive. */
  after(ms: number, task: () => void): Timer
  /** Calls `task` every `ms` until cancelled. */
  every(ms: number, task: () => void): Timer
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Node's timers run at once when they are set for longer. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The machine's own clock. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now()
  }

  after(ms: number, task: () => void): Timer {
    let timer: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, MAX_TIMEOUT_MS)
      timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : task()), stepMs)
      timer.unref()
    }
    wait(ms)
    return { cancel: () => clearTimeout(timer) }
  }

  every(ms: number, task: () => void): Timer {
    const timer = setInterval(task, ms)
    timer.unref()
    return { cancel: () => clearInterval(timer) }
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}

/** An RFC 3339 time as Kubernetes writes `metav1.MicroTime`: milliseconds kept. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString()
}
