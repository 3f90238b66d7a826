import { oneOf, type Values } from './options.ts'

/** Which hypervisor the guests run on: the agents drive it, and the conductor says there whose a guest is. */
export const DRIVER_SETTINGS = {
  computeDriver: oneOf('the hypervisor', ['kubevirt', 'fake'], 'kubevirt'),
}

export type DriverSettings = Values<typeof DRIVER_SETTINGS>
