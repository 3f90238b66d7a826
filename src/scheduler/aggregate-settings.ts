import { leastNumber } from './filters/aggregate-metadata.ts'
import type { AggregateState, Amounts, HostState } from './host-state.ts'
import { WEIGHERS } from './weighers/registry.ts'

/** The metadata that sets a number, and the least it may be. */
const NUMBERS: Readonly<Record<string, number>> = {
  cpu_allocation_ratio: 0.01,
  ram_allocation_ratio: 0.01,
  disk_allocation_ratio: 0.01,
  reserved_host_cpus: 0,
  reserved_host_memory_mb: 0,
  reserved_host_disk_mb: 0,
  max_instances_per_host: 0,
  max_io_ops_per_host: 0,
  ...Object.fromEntries(Object.values(WEIGHERS).map(({ key }) => [key, Number.NEGATIVE_INFINITY])),
}

/** What of an aggregate's metadata is no number where it has to be one, in words; in the order of the keys. */
export function nonsenseIn(metadata: Readonly<Record<string, string>>): readonly string[] {
  const entries = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.flatMap(([key, value]) => {
    const least = Object.hasOwn(NUMBERS, key) ? NUMBERS[key] : undefined
    if (least === undefined) return []
    const number = value.trim() === '' ? Number.NaN : Number(value)
    return Number.isFinite(number) && number >= least
      ? []
      : [`metadata ${key} '${value}' is no number it can be`]
  })
}

type Of = Pick<HostState, 'aggregates'>

/** The allocation ratios of a host by its aggregates: the least of several. */
export function aggregateRatios({ aggregates }: Of, defaults: HostState['ratios']): HostState['ratios'] {
  return {
    cpu: least(aggregates, 'cpu_allocation_ratio', defaults.cpu),
    memory: least(aggregates, 'ram_allocation_ratio', defaults.memory),
    disk: least(aggregates, 'disk_allocation_ratio', defaults.disk),
  }
}

/** What is kept for the host itself by its aggregates: the most of several. */
export function aggregateReserves({ aggregates }: Of, defaults: Amounts): Amounts {
  const diskMb = most(aggregates, 'reserved_host_disk_mb')
  return {
    vcpus: most(aggregates, 'reserved_host_cpus') ?? defaults.vcpus,
    memoryMb: most(aggregates, 'reserved_host_memory_mb') ?? defaults.memoryMb,
    diskGb: diskMb === undefined ? defaults.diskGb : Math.ceil(diskMb / 1024),
  }
}

/** The multipliers that the aggregates of a host change: the least of several, as in Nova. */
export function aggregateMultipliers({ aggregates }: Of): HostState['weightMultipliers'] {
  const found: Record<string, number> = {}
  for (const [name, { key }] of Object.entries(WEIGHERS)) {
    const multiplier = least(aggregates, key, Number.NaN)
    if (!Number.isNaN(multiplier)) found[name] = multiplier
  }
  return Object.keys(found).length === 0 ? undefined : found
}

function least(aggregates: readonly AggregateState[], key: string, otherwise: number): number {
  return leastNumber(sensible(aggregates, key), key, otherwise)
}

function most(aggregates: readonly AggregateState[], key: string): number | undefined {
  const numbers = sensible(aggregates, key).aggregates.map(({ metadata }) => Number(metadata[key]))
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}

/** What is nonsense counts as if it were not there; the aggregate says so. */
function sensible(aggregates: readonly AggregateState[], key: string): Of {
  return {
    aggregates: aggregates.filter(({ metadata }) => {
      const value = metadata[key]
      return value !== undefined && nonsenseIn({ [key]: value }).length === 0
    }),
  }
}
