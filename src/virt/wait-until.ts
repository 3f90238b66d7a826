import type { Clock } from '../common/clock.ts'

export interface WaitOptions {
  /** Gives up after so long; for ever when left out. */
  readonly timeoutMs?: number | undefined
  /** Gives up at once: the wait then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** What can be waited on: something that says when to look again. */
export interface Changes {
  readonly clock: Clock
  /** Calls `listener` after every change; the returned function ends it. */
  readonly onChange: (listener: () => void) => () => void
}

/**
 * Looks now and after every change until `look` answers something other than undefined, and resolves with
 * it; with undefined when the time is up. Rejects with what `look` throws. Nothing is polled.
 */
export async function waitUntil<T>(
  changes: Changes,
  look: () => T | undefined,
  options: WaitOptions = {},
): Promise<T | undefined> {
  const { timeoutMs, signal } = options
  signal?.throwIfAborted()
  const found = look()
  if (found !== undefined) return found

  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>()
  const lookAgain = (): void => {
    try {
      const value = look()
      if (value !== undefined) resolve(value)
    } catch (error) {
      reject(error)
    }
  }
  const onAbort = (): void => reject(signal?.reason)
  const unsubscribe = changes.onChange(lookAgain)
  const timer = timeoutMs === undefined ? undefined : changes.clock.after(timeoutMs, () => resolve(undefined))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    unsubscribe()
    timer?.cancel()
    signal?.removeEventListener('abort', onAbort)
  }
}
