import { CPUWeigher } from './cpu-weigher.ts'
import { DiskWeigher } from './disk-weigher.ts'
import { RAMWeigher } from './ram-weigher.ts'
import type { SchedulerWeigher } from './weigher.ts'

/** Every weigher by its name, with Nova's default multiplier. A new one is a file beside this and a line here. */
export const WEIGHERS: Readonly<
  Record<string, { readonly make: () => SchedulerWeigher; readonly multiplier: number }>
> = {
  RAMWeigher: { make: () => new RAMWeigher(), multiplier: 1 },
  CPUWeigher: { make: () => new CPUWeigher(), multiplier: 1 },
  DiskWeigher: { make: () => new DiskWeigher(), multiplier: 1 },
}
