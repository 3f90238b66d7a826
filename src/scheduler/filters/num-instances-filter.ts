import type { HostState } from '../host-state.ts'
import { leastNumber } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

/** Takes out hosts that have as many instances as one may have. */
export class NumInstancesFilter implements HostFilter {
  readonly name: string = 'NumInstancesFilter'
  protected readonly most: number

  /** @param options.maxInstancesPerHost Nova's max_instances_per_host */
  constructor(options: { readonly maxInstancesPerHost: number }) {
    this.most = options.maxInstancesPerHost
  }

  check(host: HostState): Verdict {
    const most = this.mostOn(host)
    return host.instances < most ? PASS : reject(`with ${most} instances or more`)
  }

  protected mostOn(_host: HostState): number {
    return this.most
  }
}

/** The same, where the metadata `max_instances_per_host` of an aggregate says how many; the least of several holds. */
export class AggregateNumInstancesFilter extends NumInstancesFilter {
  override readonly name = 'AggregateNumInstancesFilter'

  protected override mostOn(host: HostState): number {
    return leastNumber(host, 'max_instances_per_host', this.most)
  }
}
