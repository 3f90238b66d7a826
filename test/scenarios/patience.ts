let factor = 1

/** From now on everything may take so many times as long: for worlds whose guests are emulated. */
export function bePatient(times: number): void {
  factor = times
}

/** How long to wait for what takes less than `ms` in a simulated world. */
export function patience(ms: number): number {
  return ms * factor
}
