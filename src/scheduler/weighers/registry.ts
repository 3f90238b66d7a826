import { BuildFailureWeigher } from './build-failure-weigher.ts'
import { CPUWeigher } from './cpu-weigher.ts'
import { DiskWeigher } from './disk-weigher.ts'
import { ImagePropertiesWeigher } from './image-properties-weigher.ts'
import { IoOpsWeigher } from './io-ops-weigher.ts'
import { NumInstancesWeigher } from './num-instances-weigher.ts'
import { RAMWeigher } from './ram-weigher.ts'
import {
  ServerGroupSoftAffinityWeigher,
  ServerGroupSoftAntiAffinityWeigher,
} from './server-group-soft-weighers.ts'
import type { WeightedWeigher } from './weigh.ts'
import type { SchedulerWeigher } from './weigher.ts'

/** What weighers are told by the operator. */
export interface WeigherSettings {
  /** Nova: image_props_weight_setting. */
  readonly imagePropsWeightSetting: Readonly<Record<string, number>>
}

/** Nova's defaults. */
export const DEFAULT_WEIGHER_SETTINGS: WeigherSettings = { imagePropsWeightSetting: {} }

interface Registered {
  readonly make: (settings: WeigherSettings) => SchedulerWeigher
  /** Nova's default multiplier. */
  readonly multiplier: number
  /** What an aggregate's metadata calls the multiplier, which holds for its hosts. */
  readonly key: string
  /** What it reads is only known where its multiplier is not 0: then no aggregate can change that. */
  readonly isCostly?: true
}

/** Every weigher by its name. A new one is a file beside this and a line here. */
export const WEIGHERS: Readonly<Record<string, Registered>> = {
  RAMWeigher: { make: () => new RAMWeigher(), multiplier: 1, key: 'ram_weight_multiplier' },
  CPUWeigher: { make: () => new CPUWeigher(), multiplier: 1, key: 'cpu_weight_multiplier' },
  DiskWeigher: { make: () => new DiskWeigher(), multiplier: 1, key: 'disk_weight_multiplier' },
  IoOpsWeigher: { make: () => new IoOpsWeigher(), multiplier: -1, key: 'io_ops_weight_multiplier' },
  ServerGroupSoftAffinityWeigher: {
    make: () => new ServerGroupSoftAffinityWeigher(),
    multiplier: 1,
    key: 'soft_affinity_weight_multiplier',
  },
  ServerGroupSoftAntiAffinityWeigher: {
    make: () => new ServerGroupSoftAntiAffinityWeigher(),
    multiplier: 1,
    key: 'soft_anti_affinity_weight_multiplier',
  },
  BuildFailureWeigher: {
    make: () => new BuildFailureWeigher(),
    multiplier: 1_000_000,
    key: 'build_failure_weight_multiplier',
  },
  NumInstancesWeigher: {
    make: () => new NumInstancesWeigher(),
    multiplier: 0,
    key: 'num_instances_weight_multiplier',
  },
  ImagePropertiesWeigher: {
    make: (settings) => new ImagePropertiesWeigher(settings.imagePropsWeightSetting),
    multiplier: 0,
    key: 'image_props_weight_multiplier',
    isCostly: true,
  },
}

type Multipliers = Readonly<Record<string, number>>

/** Every weigher that runs with its multiplier: the one that is given, or Nova's. */
export function makeWeighers(
  multipliers: Multipliers = {},
  settings: WeigherSettings = DEFAULT_WEIGHER_SETTINGS,
): readonly WeightedWeigher[] {
  return Object.entries(WEIGHERS)
    .filter(([name]) => runs(name, multipliers))
    .map(([name, { make, multiplier }]) => ({
      weigher: make(settings),
      multiplier: multipliers[name] ?? multiplier,
    }))
}

/** Whether a weigher is asked at all. */
export function runs(name: string, multipliers: Multipliers): boolean {
  const known = WEIGHERS[name]
  return known !== undefined && (!known.isCostly || (multipliers[name] ?? known.multiplier) !== 0)
}
