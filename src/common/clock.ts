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

/** The machine's own clock. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now()
  }

  after(ms: number, task: () => void): Timer {
    const timer = setTimeout(task, ms)
    timer.unref()
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
