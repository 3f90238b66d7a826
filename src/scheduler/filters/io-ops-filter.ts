import type { HostState } from '../host-state.ts'
import { leastNumber } from './aggregate-metadata.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

/** Takes out hosts that are building or moving as many instances as one may at a time. */
export class IoOpsFilter implements HostFilter {
  readonly name: string = 'IoOpsFilter'
  protected readonly most: number

  /** @param options.maxIoOpsPerHost Nova's max_io_ops_per_host */
  constructor(options: { readonly maxIoOpsPerHost: number }) {
    this.most = options.maxIoOpsPerHost
  }

  check(host: HostState): Verdict {
    const most = this.mostOn(host)
    return host.ioOps < most ? PASS : reject(`busy with ${most} instances or more`)
  }

  protected mostOn(_host: HostState): number {
    return this.most
  }
}

/** The same, where the metadata `max_io_ops_per_host` of an aggregate says how many; the least of several holds. */
export class AggregateIoOpsFilter extends IoOpsFilter {
  override readonly name = 'AggregateIoOpsFilter'

  protected override mostOn(host: HostState): number {
    return leastNumber(host, 'max_io_ops_per_host', this.most)
  }
}
