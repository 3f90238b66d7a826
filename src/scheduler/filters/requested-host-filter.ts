import type { BuildRequest } from '../../objects/build-request.ts'
import type { Limit, NamedHostsFilter } from './filter.ts'

/**
 * Takes out every host but the one that was asked for. The other filters still have their say, as with the `host`
 * of Nova's microversion 2.74 (requested_destination).
 */
export class RequestedHostFilter implements NamedHostsFilter {
  readonly name = 'RequestedHostFilter'

  limit({ requestedHost }: BuildRequest): Limit | undefined {
    return requestedHost === undefined
      ? undefined
      : { only: new Set([requestedHost]), reason: `not ${requestedHost}, which was asked for` }
  }
}
