import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, type Verdict, reject } from './filter.ts'

/** Takes out hosts outside the zone that was asked for. */
export class AvailabilityZoneFilter implements HostFilter {
  readonly name = 'AvailabilityZoneFilter'

  check(host: HostState, request: RequestSpec): Verdict {
    const wanted = request.availabilityZone
    if (wanted === undefined || wanted === host.availabilityZone) return PASS
    return reject(`in zone ${host.availabilityZone}, not ${wanted}`)
  }
}
