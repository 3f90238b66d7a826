import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { aggregateKeys } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

/**
 * Takes out hosts of aggregates whose metadata names another value of a property of the image. A property that the
 * image does not have, or that no aggregate names, passes.
 */
export class AggregateImagePropertiesIsolation implements HostFilter {
  readonly name = 'AggregateImagePropertiesIsolation'

  check(host: HostState, { image }: RequestSpec): Verdict {
    const properties: Readonly<Record<string, string | number | readonly string[] | undefined>> =
      image.properties
    for (const [key, values] of aggregateKeys(host, '')) {
      const property = properties[key]
      const isPlain = typeof property === 'string' || typeof property === 'number'
      if (!isPlain || values.includes(`${property}`)) continue
      return reject(`in an aggregate for images with ${key} ${values.join(', ')}`)
    }
    return PASS
  }
}
