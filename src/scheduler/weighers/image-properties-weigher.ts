import type { HostState } from '../host-state.ts'
import { propertiesIn } from '../image-usage.ts'
import type { RequestSpec } from '../request-spec.ts'
import type { HostWeigher } from './weigher.ts'

/**
 * Counts the instances of a host whose images have the properties of this one's, once for each they have in common: a
 * positive multiplier packs them, a negative one spreads. nova.scheduler.weights.image_props.
 */
export class ImagePropertiesWeigher implements HostWeigher {
  readonly name = 'ImagePropertiesWeigher'
  readonly readsRequest = true
  readonly #ratios: ReadonlyMap<string, number>

  /** @param ratios how much each property counts, and those that are not named not at all; without any, all alike. */
  constructor(ratios: Readonly<Record<string, number>>) {
    this.#ratios = new Map(Object.entries(ratios))
  }

  score({ imageProperties }: HostState, { image }: RequestSpec): number {
    let score = 0
    for (const { name, text } of propertiesIn(image.properties)) {
      const ratio = this.#ratios.size === 0 ? 1 : (this.#ratios.get(name) ?? 0)
      score += ratio * (imageProperties?.get(text) ?? 0)
    }
    return score
  }
}
