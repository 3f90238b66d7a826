import { QUEUE_SETTINGS, SERVICE_OPTIONS } from './common.ts'
import { DRIVER_SETTINGS } from './driver.ts'
import type { Values } from './options.ts'

/** The conductor keeps no state, and is told little but where the others are. */
export const CONDUCTOR_SETTINGS = DRIVER_SETTINGS

export const CONDUCTOR_OPTIONS = { ...SERVICE_OPTIONS, ...QUEUE_SETTINGS, ...CONDUCTOR_SETTINGS }
export type ConductorSettings = Values<typeof CONDUCTOR_SETTINGS>
