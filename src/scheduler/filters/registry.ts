import { AvailabilityZoneFilter } from './availability-zone-filter.ts'
import { ComputeFilter } from './compute-filter.ts'
import type { SchedulerFilter } from './filter.ts'
import { ImagePropertiesFilter } from './image-properties-filter.ts'
import { RequestedHostFilter } from './requested-host-filter.ts'
import { ResourceFilter } from './resource-filter.ts'
import { RetryFilter } from './retry-filter.ts'

/** Every filter by its name. A new one is a file beside this and a line here. */
export const FILTERS: Readonly<Record<string, () => SchedulerFilter>> = {
  AvailabilityZoneFilter: () => new AvailabilityZoneFilter(),
  ComputeFilter: () => new ComputeFilter(),
  ImagePropertiesFilter: () => new ImagePropertiesFilter(),
  RequestedHostFilter: () => new RequestedHostFilter(),
  ResourceFilter: () => new ResourceFilter(),
}

/** The filters that run, in order: the cheapest and most telling first. */
export const DEFAULT_FILTERS: readonly string[] = [
  'RequestedHostFilter',
  'ComputeFilter',
  'AvailabilityZoneFilter',
  'ImagePropertiesFilter',
  'ResourceFilter',
]

/**
 * What no choice of filters takes away: room for the flavor, and the host that was asked for. Nova leaves both to
 * placement, which every request goes through whatever its filters are.
 */
export const REQUIRED_FILTERS: readonly string[] = ['RequestedHostFilter', 'ResourceFilter']

/** What runs: {@link RetryFilter}, the filters that are chosen in their order, and those that always run. */
export function makeFilters(chosen: readonly string[]): readonly SchedulerFilter[] {
  const names = [...chosen, ...REQUIRED_FILTERS.filter((name) => !chosen.includes(name))]
  return [new RetryFilter(), ...names.flatMap((name) => FILTERS[name]?.() ?? [])]
}
