import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

const SCOPE = 'trait:'

/**
 * Takes out hosts without a trait that the flavor (`trait:CUSTOM_SSD: required`) or the image (`traits_required`)
 * asks for, and hosts with one that the flavor forbids. Nova leaves that to placement.
 */
export class TraitsFilter implements HostFilter {
  readonly name = 'TraitsFilter'

  check(host: HostState, { extraSpecs, image }: RequestSpec): Verdict {
    for (const [name, wanted] of Object.entries(extraSpecs)) {
      if (!name.startsWith(SCOPE)) continue
      const trait = name.slice(SCOPE.length)
      const has = host.traits.includes(trait)
      if (wanted === 'required' && !has) return reject(`without the trait ${trait}`)
      if (wanted === 'forbidden' && has) return reject(`with the trait ${trait}`)
    }
    const missing = image.properties.traits_required?.find((trait) => !host.traits.includes(trait))
    return missing === undefined ? PASS : reject(`without the trait ${missing}`)
  }
}
