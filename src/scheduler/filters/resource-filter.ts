import { amountsOf, freeOn, type HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, type Verdict, reject } from './filter.ts'

/** Takes out hosts without room for the flavor: what Nova asks placement for. */
export class ResourceFilter implements HostFilter {
  readonly name = 'ResourceFilter'

  check(host: HostState, request: RequestSpec): Verdict {
    const free = freeOn(host)
    const wanted = amountsOf(request.flavor)
    const short = [
      wanted.vcpus > free.vcpus && `VCPU ${wanted.vcpus} asked, ${Math.max(0, free.vcpus)} free`,
      wanted.memoryMb > free.memoryMb &&
        `MEMORY_MB ${wanted.memoryMb} asked, ${Math.max(0, free.memoryMb)} free`,
      wanted.diskGb > free.diskGb && `DISK_GB ${wanted.diskGb} asked, ${Math.max(0, free.diskGb)} free`,
    ].filter((one) => one !== false)
    return short.length === 0 ? PASS : reject(`without room: ${short.join('; ')}`)
  }
}
