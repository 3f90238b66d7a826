import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

export interface Isolation {
  /** Nova: isolated_hosts. */
  readonly isolatedHosts: readonly string[]
  /** Nova: isolated_images, by name. */
  readonly isolatedImages: readonly string[]
  /** Whether isolated hosts take no other image. Nova: restrict_isolated_hosts_to_isolated_images. */
  readonly restrictIsolatedHosts: boolean
}

/** Keeps images that are to be apart on hosts that are apart, and, if so restricted, all others off them. */
export class IsolatedHostsFilter implements HostFilter {
  readonly name = 'IsolatedHostsFilter'
  readonly reads = ['imageName'] as const
  readonly #isolation: Isolation

  constructor(isolation: Isolation) {
    this.#isolation = isolation
  }

  check({ host }: HostState, { imageName = '' }: RequestSpec): Verdict {
    const { isolatedHosts, isolatedImages, restrictIsolatedHosts } = this.#isolation
    const imageIsApart = isolatedImages.includes(imageName)
    const hostIsApart = isolatedHosts.includes(host)
    if (imageIsApart && !hostIsApart) return reject(`not isolated, image ${imageName} is`)
    return hostIsApart && !imageIsApart && restrictIsolatedHosts ? reject('for isolated images only') : PASS
  }
}
