import { clearInterval, setInterval } from 'node:timers'
import type { Clock } from './clock.ts'
import { get } from './json.ts'
import type { Store } from './store.ts'

const EVENTS = '/events'
const SWEEP_MS = 60_000

/** Removes Events that nobody wrote to for an hour, as the real server's `--event-ttl` does. */
export class EventExpiry {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ttlMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(deps: { readonly store: Store; readonly clock: Clock }, options: { readonly ttlMs: number }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#ttlMs = options.ttlMs
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  sweep(): void {
    const events = this.#store.collection(EVENTS)
    const before = this.#clock.now() - this.#ttlMs
    for (const stored of events.list('')) {
      const { object } = stored
      const last = get(object, 'lastTimestamp') ?? get(object, 'metadata', 'creationTimestamp')
      if (typeof last === 'string' && Date.parse(last) < before) this.#store.remove(events, stored)
    }
  }
}
