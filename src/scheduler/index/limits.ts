import type { BuildRequest } from '../../objects/build-request.ts'
import { isHostFilter, type Limit } from '../filters/filter.ts'
import type { Policy } from '../select-destination.ts'
import type { SelectOptions } from '../select-options.ts'
import type { Rejection, RequestClass } from './request-class.ts'

/** A limit and the place of its filter in the policy. */
export type PlacedLimit = Limit & { readonly filter: number }

/** What the filters that go by names say of one request. */
export function limitsOf(policy: Policy, request: BuildRequest, options: SelectOptions): PlacedLimit[] {
  return policy.filters.flatMap((one, filter) => {
    const limit = isHostFilter(one) ? undefined : one.limit(request, options)
    return limit ? [{ ...limit, filter }] : []
  })
}

/** What takes a host out first, of all the filters. */
export function firstRejection(
  host: string,
  kind: RequestClass,
  limits: readonly PlacedLimit[],
): Rejection | undefined {
  const byName = limits.find((limit) => ('only' in limit ? !limit.only.has(host) : limit.not.has(host)))
  const byKind = kind.rejectionOf(host)
  if (!byName) return byKind
  return byKind && byKind.filter < byName.filter ? byKind : { filter: byName.filter, reason: byName.reason }
}
