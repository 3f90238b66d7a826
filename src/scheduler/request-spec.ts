import type { BuildRequest, SchedulerHints } from '../objects/build-request.ts'

/** What few filters look at and differs from instance to instance: a filter that reads one of these says so. */
export type SpecialField = 'project' | 'imageName' | 'nearHostIp'

/**
 * What a request asks of a host: nothing that is the one instance's alone. All requests that ask the same are
 * judged alike, and what was found out for one holds for the next. Nova's RequestSpec, as filters see it.
 */
export interface RequestSpec extends Pick<BuildRequest, 'flavor' | 'extraSpecs' | 'availabilityZone'> {
  readonly image: Pick<BuildRequest['image'], 'properties'>
  /** The namespace, where a filter reads it. */
  readonly project?: string | undefined
  readonly imageName?: string | undefined
  /** The network that the host's address is to be in: `10.1.2.3/24`. */
  readonly nearHostIp?: string | undefined
}

/** What of a request its hosts are judged by. */
export function toRequestSpec(request: BuildRequest, reads: ReadonlySet<SpecialField>): RequestSpec {
  const { flavor, extraSpecs, availabilityZone, image, instance, hints } = request
  return {
    flavor,
    extraSpecs,
    availabilityZone,
    image: { properties: image.properties },
    ...(reads.has('project') && { project: instance.namespace }),
    ...(reads.has('imageName') && { imageName: image.name }),
    ...(reads.has('nearHostIp') && { nearHostIp: nearHostIp(hints) }),
  }
}

/** Nova takes /24 where the hint `cidr` is not given, of IPv6 as well. */
function nearHostIp({ build_near_host_ip: address, cidr = '/24' }: SchedulerHints = {}): string | undefined {
  return address === undefined ? undefined : `${address}${cidr}`
}

/** Equal for requests that ask the same. */
export function keyOfSpec({
  flavor,
  extraSpecs,
  availabilityZone,
  image,
  project,
  imageName,
  nearHostIp: near,
}: RequestSpec): string {
  const { name, vcpus, memoryMb, diskGb } = flavor
  return JSON.stringify([
    [name, vcpus, memoryMb, diskGb, availabilityZone, project, imageName, near],
    inOrder(extraSpecs),
    inOrder(image.properties),
  ])
}

function inOrder(fields: Readonly<Record<string, unknown>>): unknown {
  const entries = Object.entries(fields)
  return entries.length < 2 ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1))
}
