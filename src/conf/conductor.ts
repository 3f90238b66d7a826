import { SERVICE_OPTIONS } from './common.ts'

/** The conductor keeps no state and is told nothing but where the others are. */
export const CONDUCTOR_OPTIONS = SERVICE_OPTIONS
