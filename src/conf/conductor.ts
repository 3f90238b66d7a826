import { QUEUE_SETTINGS, SERVICE_OPTIONS } from './common.ts'

/** The conductor keeps no state, and is told little but where the others are. */
export const CONDUCTOR_OPTIONS = { ...SERVICE_OPTIONS, ...QUEUE_SETTINGS }
