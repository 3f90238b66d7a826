import type { Clock } from '../../common/clock.ts'
import type { ComputeDriver } from '../driver.ts'

/** The methods that can be told to fail or to be slow. */
export type FaultyMethod = Exclude<
  keyof ComputeDriver,
  'isReady' | 'keepsGuestsPerHost' | 'onLifecycleEvent' | 'start' | 'stop'
>

/** What a test or a demonstration asked to go wrong. */
export class Faults {
  readonly #clock: Clock
  readonly #errors = new Map<FaultyMethod, Error[]>()
  readonly #delaysMs = new Map<FaultyMethod, number>()

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock
  }

  failNext(method: FaultyMethod, error: Error): void {
    this.#errors.set(method, [...(this.#errors.get(method) ?? []), error])
  }

  delay(method: FaultyMethod, ms: number): void {
    this.#delaysMs.set(method, ms)
  }

  /** Goes first in every method: waits as asked, then throws as asked. */
  async apply(method: FaultyMethod, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const delayMs = this.#delaysMs.get(method) ?? 0
    if (delayMs > 0) await this.#clock.sleep(delayMs, signal)
    const error = this.#errors.get(method)?.shift()
    if (error) throw error
  }
}
