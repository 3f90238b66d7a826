import { z } from 'zod'

/** What one run measured. */
export const run = z.object({
  hosts: z.int(),
  kind: z.enum(['default', 'groups', 'aggregates']),
  groups: z.int(),
  decisionsPerSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** The slowest before the measured ones: the first or second request of a kind, for which every host is looked at. */
  firstMs: z.number(),
  /** The same decision by looking at every host. */
  scanP50Ms: z.number(),
  /** Of the process, after the decisions and a collection, with all hosts and instances held. */
  rssMb: z.number(),
})
export type Run = z.infer<typeof run>
