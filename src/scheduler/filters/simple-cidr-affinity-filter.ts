import { BlockList, isIPv6 } from 'node:net'
import type { HostState } from '../host-state.ts'
import type { RequestSpec } from '../request-spec.ts'
import { type HostFilter, PASS, reject, type Verdict } from './filter.ts'

interface Network {
  readonly text: string
  has(address: string): boolean
}

/** Takes out hosts whose address is not in the network that the hints build_near_host_ip and cidr name. */
export class SimpleCIDRAffinityFilter implements HostFilter {
  readonly name = 'SimpleCIDRAffinityFilter'
  readonly reads = ['nearHostIp'] as const
  /** The last one: a request is judged with every host. */
  #network: Network | undefined

  check({ hostIp }: HostState, { nearHostIp }: RequestSpec): Verdict {
    if (nearHostIp === undefined) return PASS
    if (hostIp === undefined) return reject('without an address')
    if (this.#network?.text !== nearHostIp) this.#network = networkOf(nearHostIp)
    return this.#network.has(hostIp) ? PASS : reject(`with an address outside ${nearHostIp}`)
  }
}

function networkOf(text: string): Network {
  const [address = '', bits] = text.split('/')
  const family = familyOf(address)
  const addresses = new BlockList()
  addresses.addSubnet(address, Number(bits), family)
  return { text, has: (one) => familyOf(one) === family && addresses.check(one, family) }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
