import type { ImageProperties } from '../../objects/build-request.ts'
import { AggregateImagePropertiesIsolation } from './aggregate-image-properties-isolation.ts'
import { AggregateInstanceExtraSpecsFilter } from './aggregate-instance-extra-specs-filter.ts'
import { AggregateMultiTenancyIsolation } from './aggregate-multi-tenancy-isolation.ts'
import { AggregateTypeAffinityFilter } from './aggregate-type-affinity-filter.ts'
import { AllHostsFilter } from './all-hosts-filter.ts'
import { AvailabilityZoneFilter } from './availability-zone-filter.ts'
import { ComputeCapabilitiesFilter } from './compute-capabilities-filter.ts'
import { ComputeFilter } from './compute-filter.ts'
import type { SchedulerFilter } from './filter.ts'
import { DifferentHostFilter, SameHostFilter } from './hinted-host-filters.ts'
import { ImagePropertiesFilter } from './image-properties-filter.ts'
import { AggregateIoOpsFilter, IoOpsFilter } from './io-ops-filter.ts'
import { IsolatedAggregatesFilter } from './isolated-aggregates-filter.ts'
import { type Isolation, IsolatedHostsFilter } from './isolated-hosts-filter.ts'
import { AggregateNumInstancesFilter, NumInstancesFilter } from './num-instances-filter.ts'
import { RequestedHostFilter } from './requested-host-filter.ts'
import { ResourceFilter } from './resource-filter.ts'
import { RetryFilter } from './retry-filter.ts'
import { ServerGroupAffinityFilter, ServerGroupAntiAffinityFilter } from './server-group-filters.ts'
import { SimpleCIDRAffinityFilter } from './simple-cidr-affinity-filter.ts'
import { TraitsFilter } from './traits-filter.ts'

/** What filters are told by the operator. */
export interface FilterSettings extends Isolation {
  readonly maxInstancesPerHost: number
  readonly maxIoOpsPerHost: number
  readonly imagePropertiesDefaultArchitecture?: ImageProperties['hw_architecture']
}

/** Nova's defaults. */
export const DEFAULT_FILTER_SETTINGS: FilterSettings = {
  maxInstancesPerHost: 50,
  maxIoOpsPerHost: 8,
  isolatedHosts: [],
  isolatedImages: [],
  restrictIsolatedHosts: true,
}

/** Every filter by its name. A new one is a file beside this and a line here. */
export const FILTERS: Readonly<Record<string, (settings: FilterSettings) => SchedulerFilter>> = {
  AggregateImagePropertiesIsolation: () => new AggregateImagePropertiesIsolation(),
  AggregateInstanceExtraSpecsFilter: () => new AggregateInstanceExtraSpecsFilter(),
  AggregateIoOpsFilter: (settings) => new AggregateIoOpsFilter(settings),
  AggregateMultiTenancyIsolation: () => new AggregateMultiTenancyIsolation(),
  AggregateNumInstancesFilter: (settings) => new AggregateNumInstancesFilter(settings),
  AggregateTypeAffinityFilter: () => new AggregateTypeAffinityFilter(),
  AllHostsFilter: () => new AllHostsFilter(),
  AvailabilityZoneFilter: () => new AvailabilityZoneFilter(),
  ComputeCapabilitiesFilter: () => new ComputeCapabilitiesFilter(),
  ComputeFilter: () => new ComputeFilter(),
  DifferentHostFilter: () => new DifferentHostFilter(),
  ImagePropertiesFilter: (settings) => new ImagePropertiesFilter(settings),
  IoOpsFilter: (settings) => new IoOpsFilter(settings),
  IsolatedAggregatesFilter: () => new IsolatedAggregatesFilter(),
  IsolatedHostsFilter: (settings) => new IsolatedHostsFilter(settings),
  NumInstancesFilter: (settings) => new NumInstancesFilter(settings),
  RequestedHostFilter: () => new RequestedHostFilter(),
  ResourceFilter: () => new ResourceFilter(),
  SameHostFilter: () => new SameHostFilter(),
  ServerGroupAffinityFilter: () => new ServerGroupAffinityFilter(),
  ServerGroupAntiAffinityFilter: () => new ServerGroupAntiAffinityFilter(),
  SimpleCIDRAffinityFilter: () => new SimpleCIDRAffinityFilter(),
  TraitsFilter: () => new TraitsFilter(),
}

/**
 * The filters that run, in order: Nova's, beside them what Nova leaves to placement, and those for hints, which Nova
 * does not run unless told to: a hint that a user gives should not be ignored silently. Not the one for addresses:
 * with a prefix of all bits it would let anybody name the host.
 */
export const DEFAULT_FILTERS: readonly string[] = [
  'RequestedHostFilter',
  'ComputeFilter',
  'AvailabilityZoneFilter',
  'ComputeCapabilitiesFilter',
  'TraitsFilter',
  'ImagePropertiesFilter',
  'ServerGroupAntiAffinityFilter',
  'ServerGroupAffinityFilter',
  'DifferentHostFilter',
  'SameHostFilter',
  'ResourceFilter',
]

/**
 * What no choice of filters takes away: room for the flavor, and the host that was asked for. Nova leaves both to
 * placement, which every request goes through whatever its filters are.
 */
export const REQUIRED_FILTERS: readonly string[] = ['RequestedHostFilter', 'ResourceFilter']

/** What runs: {@link RetryFilter}, the filters that are chosen in their order, and those that always run. */
export function makeFilters(
  chosen: readonly string[],
  settings: FilterSettings = DEFAULT_FILTER_SETTINGS,
): readonly SchedulerFilter[] {
  const names = [...chosen, ...REQUIRED_FILTERS.filter((name) => !chosen.includes(name))]
  return [new RetryFilter(), ...names.flatMap((name) => FILTERS[name]?.(settings) ?? [])]
}
