import type { Clock } from '../common/clock.ts'
import type { TransportStatus } from './transport.ts'

/** Whether the broker is there, for those who wait for it. Starts as `disconnected`. */
export class ConnectionStatus {
  readonly #listeners = new Set<(status: TransportStatus) => void>()
  #current: TransportStatus = 'disconnected'

  get current(): TransportStatus {
    return this.#current
  }

  set(status: TransportStatus): void {
    if (status === this.#current) return
    this.#current = status
    for (const listener of this.#listeners) listener(status)
  }

  /** Calls `listener` on every change. Returns what undoes it. */
  onChange(listener: (status: TransportStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Resolves when connected; rejects with the signal's reason when it aborts first. */
  async whenConnected(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#current === 'connected') return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => reject(signal.reason)
    const forget = this.onChange((status) => {
      if (status === 'connected') resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      forget()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Whether the broker was there within `timeoutMs`. False also when `signal` aborted. */
  async connectedWithin(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#current === 'connected' && !signal.aborted) return true
    const late = new AbortController()
    const timer = clock.after(timeoutMs, () => late.abort())
    const either = AbortSignal.any([late.signal, signal])
    try {
      await this.whenConnected(either)
      return true
    } catch (error) {
      if (either.aborted) return false
      throw error
    } finally {
      timer.cancel()
    }
  }
}
