/** Where the server takes the time from: timestamps and ages. Its own timers run on the real one. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
}

export const SYSTEM_CLOCK: Clock = { now: () => Date.now() }
