export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Nearest rank. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper
}

export function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Counts by name. */
export type Counts = Readonly<Record<string, number>>

/** What was counted since `before`; what did not change is left out. */
export function since(before: Counts, after: Counts): Counts {
  return minus(after, before)
}

/** `from` less `counts`; zeros are left out. */
export function minus(from: Counts, counts: Counts): Counts {
  const names = new Set([...Object.keys(from), ...Object.keys(counts)])
  const rest = [...names].map((name) => [name, (from[name] ?? 0) - (counts[name] ?? 0)] as const)
  return Object.fromEntries(rest.filter(([, number]) => number !== 0))
}

export function filterCounts(counts: Counts, isWanted: (name: string) => boolean): Counts {
  return Object.fromEntries(Object.entries(counts).filter(([name]) => isWanted(name)))
}

export function total(counts: Counts): number {
  return sum(Object.values(counts))
}
