/** Waits that double from `baseMs` to `capMs`. */
export interface BackoffOptions {
  readonly baseMs: number
  readonly capMs: number
}

/**
 * How long to wait after the `failures`-th failure in a row (from 1): between half and all of the doubled
 * time, so that those who failed together do not come back together.
 */
export function backoffMs(options: BackoffOptions, failures: number, random: () => number): number {
  const fullMs = Math.min(options.capMs, options.baseMs * 2 ** Math.min(failures - 1, 30))
  return Math.round(fullMs * (0.5 + random() / 2))
}
