/** A host of a search and its exact weight. */
export interface Found {
  readonly host: string
  readonly weight: number
}

/** Where a name is, or belongs, in names that are in order. */
export function placeOf(names: readonly string[], name: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] ?? '') < name) low = middle + 1
    else high = middle
  }
  return low
}

/** The first names that are not among those to leave out. */
export function firstOf(names: readonly string[], count: number, without: ReadonlySet<string>): string[] {
  const first: string[] = []
  for (const name of names) {
    if (first.length === count) break
    if (!without.has(name)) first.push(name)
  }
  return first
}

/** Puts a host where it belongs among the best, of which no more than `count` are kept. */
export function insert(best: Found[], one: Found, count: number): void {
  let at = best.length
  while (at > 0 && isBetter(one, best[at - 1])) at--
  if (at >= count) return
  best.splice(at, 0, one)
  if (best.length > count) best.pop()
}

function isBetter(a: Found, b: Found | undefined): boolean {
  return b === undefined || a.weight > b.weight || (a.weight === b.weight && a.host < b.host)
}
