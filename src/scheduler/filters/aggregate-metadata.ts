import type { HostState } from '../host-state.ts'

type Of = Pick<HostState, 'aggregates'>

/** The values of a key in the metadata of all aggregates of a host, each of which may give several. */
export function aggregateValues({ aggregates }: Of, key: string): readonly string[] {
  return aggregates.flatMap(({ metadata }) => listOf(metadata[key]))
}

/** Every key that begins so, with its values in all aggregates of a host. */
export function aggregateKeys({ aggregates }: Of, prefix: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const { metadata } of aggregates) {
    for (const [key, value] of Object.entries(metadata)) {
      if (key.startsWith(prefix)) found.set(key, [...(found.get(key) ?? []), ...listOf(value)])
    }
  }
  return found
}

/** The least of the numbers that the aggregates of a host give a key, or what holds without any. */
export function leastNumber(host: Of, key: string, otherwise: number): number {
  const numbers = aggregateValues(host, key).map(Number).filter(Number.isFinite)
  return numbers.length === 0 ? otherwise : Math.min(...numbers)
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : value.split(',').map((one) => one.trim())
}
