import type { BuildRequest } from '../../objects/build-request.ts'
import type { HostState } from '../host-state.ts'
import { type HostFilter, PASS, type Verdict, reject } from './filter.ts'

/**
 * Takes out every host but the one that was asked for. The other filters still have their say, as with the `host`
 * of Nova's microversion 2.74 (requested_destination).
 */
export class RequestedHostFilter implements HostFilter {
  readonly name = 'RequestedHostFilter'

  check(host: HostState, request: BuildRequest): Verdict {
    const wanted = request.requestedHost
    if (wanted === undefined || wanted === host.host) return PASS
    return reject(`not ${wanted}, which was asked for`)
  }
}
