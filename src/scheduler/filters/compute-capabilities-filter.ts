import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { matchesSpec } from './extra-specs-ops.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

const SCOPE = 'capabilities:'

/**
 * Takes out hosts that are not what the flavor's extra specs ask for: those in the scope `capabilities:`, and those
 * in none that the host has; the others in none are for other filters. What a host is known by: `hypervisor_type`,
 * `cpu_arch`, `host`, `host_ip`, and the labels of its Node.
 */
export class ComputeCapabilitiesFilter implements HostFilter {
  readonly name = 'ComputeCapabilitiesFilter'

  check(host: HostState, { extraSpecs }: RequestSpec): Verdict {
    for (const [name, wanted] of Object.entries(extraSpecs)) {
      const isScoped = name.startsWith(SCOPE)
      const capability = isScoped ? name.slice(SCOPE.length) : name
      const value = capabilityOf(host, capability)
      if (value === undefined && !isScoped) continue
      if (value === undefined) return reject(`without the capability ${capability}`)
      if (!matchesSpec(value, wanted))
        return reject(`with ${capability} ${value}, the flavor needs ${wanted}`)
    }
    return PASS
  }
}

function capabilityOf(host: HostState, name: string): string | undefined {
  switch (name) {
    case 'hypervisor_type':
      return host.hypervisorType
    case 'cpu_arch':
      return host.architecture
    case 'host':
      return host.host
    case 'host_ip':
      return host.hostIp
    default:
      return Object.hasOwn(host.labels, name) ? host.labels[name] : undefined
  }
}
