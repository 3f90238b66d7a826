import { hostname } from 'node:os'
import { SERVICE_OPTIONS } from './common.ts'
import { DRIVER_SETTINGS } from './driver.ts'
import { count, seconds, text, type Values, wholeNumber } from './options.ts'

/** What a compute agent itself is told. Names and defaults are Nova's. */
export const COMPUTE_SETTINGS = {
  host: text('the host this agent works for: the name of its Node', hostname()),
  ...DRIVER_SETTINGS,
  shutdownTimeout: seconds('how long a guest gets to shut itself down, where its image does not say', 60),
  maxConcurrentBuilds: wholeNumber('builds at once', 10),
  computeConcurrency: count(
    'messages that are held at once, builds that wait for their turn among them',
    256,
  ),
  reportInterval: seconds('between heartbeats', 10),
  updateResourcesInterval: seconds('between looks at what the host has', 60),
  syncPowerStateInterval: seconds('between comparisons of every guest with its instance', 600),
  rpcResponseTimeout: seconds(
    'how long an answer of the conductor is waited for before it is asked again',
    10,
  ),
  spawnTimeout: seconds('how long a guest may take to run', 600),
}

export const COMPUTE_OPTIONS = { ...SERVICE_OPTIONS, ...COMPUTE_SETTINGS }
export type ComputeSettings = Values<typeof COMPUTE_SETTINGS>
