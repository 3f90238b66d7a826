import type { Clock, Timer } from '../common/clock.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'

/**
 * Keys waiting to be worked on. A key waits once however often it is added, and is never handed out while it is
 * being worked on: added meanwhile, it waits again when that work is done.
 */
export class WorkQueue {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #backoff: BackoffOptions
  readonly #onReady: () => void
  readonly #ready = new Set<string>()
  readonly #working = new Set<string>()
  readonly #addedMeanwhile = new Set<string>()
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly timer: Timer }>()
  readonly #failures = new Map<string, number>()
  #isClosed = false

  constructor(
    deps: { readonly clock: Clock; readonly random?: (() => number) | undefined },
    options: {
      readonly backoff: BackoffOptions
      /** Called when `take` has something new to give. */
      readonly onReady?: () => void
    },
  ) {
    this.#clock = deps.clock
    this.#random = deps.random ?? Math.random
    this.#backoff = options.backoff
    this.#onReady = options.onReady ?? (() => undefined)
  }

  /** How many keys could be taken now. */
  get size(): number {
    return this.#ready.size
  }

  add(key: string): void {
    if (this.#isClosed) return
    if (this.#working.has(key)) {
      this.#addedMeanwhile.add(key)
      return
    }
    this.#ready.add(key)
    this.#onReady()
  }

  /** Adds it in `ms`, unless it is to be added sooner already. */
  addAfter(key: string, ms: number): void {
    if (this.#isClosed) return
    if (ms <= 0) {
      this.add(key)
      return
    }
    const dueMs = this.#clock.now() + ms
    const earlier = this.#delayed.get(key)
    if (earlier && earlier.dueMs <= dueMs) return
    earlier?.timer.cancel()
    const timer = this.#clock.after(ms, () => {
      this.#delayed.delete(key)
      this.add(key)
    })
    this.#delayed.set(key, { dueMs, timer })
  }

  /** Adds it after a wait that grows with each call until `forget`. Returns the wait, milliseconds. */
  addRateLimited(key: string): number {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const waitMs = backoffMs(this.#backoff, failures, this.#random)
    this.addAfter(key, waitMs)
    return waitMs
  }

  /** The key is well: its next failure waits for the shortest time again. */
  forget(key: string): void {
    this.#failures.delete(key)
  }

  /** The key that has waited longest, for one worker, who calls `done` with it; undefined when none waits. */
  take(): string | undefined {
    const [key] = this.#ready
    if (key === undefined) return undefined
    this.#ready.delete(key)
    this.#working.add(key)
    return key
  }

  done(key: string): void {
    this.#working.delete(key)
    if (this.#addedMeanwhile.delete(key)) this.add(key)
  }

  /** Forgets everything; nothing can be added any more. */
  close(): void {
    this.#isClosed = true
    for (const { timer } of this.#delayed.values()) timer.cancel()
    for (const keys of [this.#ready, this.#delayed, this.#addedMeanwhile, this.#failures]) keys.clear()
  }
}
