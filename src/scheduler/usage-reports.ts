import { COMPUTE_QUOTA, type ComputeQuota } from '../apis/v1alpha1/compute-quota.ts'
import { SERVER_GROUP, type ServerGroup } from '../apis/v1alpha1/server-group.ts'
import type { Informer } from '../kube/informer.ts'
import { keyOf } from '../kube/resource.ts'
import type { HostManager } from './host-manager.ts'
import type { Report } from './status-reporter.ts'

/** Each quota shows what its namespace has of it. Nova: the usages of `GET /os-quota-sets/{id}/detail`. */
export function quotaReport(deps: {
  readonly quotas: Informer<ComputeQuota>
  readonly hosts: Pick<HostManager, 'usageOf'>
}): Report<ComputeQuota> {
  return {
    type: COMPUTE_QUOTA,
    informer: deps.quotas,
    changeOf: ({ metadata: { namespace = '' }, status }) => {
      const { instances, vcpus: cores, memoryMb: ram } = deps.hosts.usageOf(namespace)
      const { used } = status ?? {}
      const isShown = used?.instances === instances && used.cores === cores && used.ram === ram
      return isShown ? undefined : { used: { instances, cores, ram } }
    },
  }
}

/** Each group shows how many members have a host, and on how many hosts they are. */
export function groupReport(deps: {
  readonly groups: Informer<ServerGroup>
  readonly hosts: Pick<HostManager, 'membersOf' | 'sizeOfGroup'>
}): Report<ServerGroup> {
  return {
    type: SERVER_GROUP,
    informer: deps.groups,
    changeOf: ({ metadata, status }) => {
      const group = keyOf(metadata)
      const members = deps.hosts.sizeOfGroup(group)
      const hosts = deps.hosts.membersOf(group).size
      return status?.members === members && status.hosts === hosts ? undefined : { members, hosts }
    },
  }
}
