import type { Instance } from '../apis/v1alpha1/instance.ts'
import type { FlavorSize } from './build-request.ts'

/** What an instance holds on one host. */
export interface InstanceBooking {
  readonly host: string
  readonly flavor: FlavorSize
}

/** Everything an instance holds: its flavor on its host, as long as it is not deleted. */
export function bookingsOf({ status }: Instance): readonly InstanceBooking[] {
  const { host, flavor, vmState } = status
  return host && flavor && vmState !== 'deleted' ? [{ host, flavor }] : []
}
