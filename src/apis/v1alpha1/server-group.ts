// Generated from crds/compute.kilonova.dev_servergroups.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type ServerGroupSpecPolicy = 'affinity' | 'anti-affinity' | 'soft-affinity' | 'soft-anti-affinity'

export interface ServerGroupSpecRules {
  /** How many members one host may have under anti-affinity. 1 when unset. */
  readonly maxServerPerHost?: number
}

export interface ServerGroupSpec {
  /** affinity puts all members on one host, anti-affinity each on another; the soft ones where that can be had. */
  readonly policy: ServerGroupSpecPolicy
  readonly rules?: ServerGroupSpecRules
}

export interface ServerGroupStatus {
  /** Members that have a host. Brought up to date every few seconds; what decides is counted by the scheduler. */
  readonly members?: number
  /** Hosts that have members. */
  readonly hosts?: number
}

/** Says how the instances that name it in spec.schedulerHints.group are spread over the hosts. Nova's server group. */
export interface ServerGroup extends KubeObject {
  readonly spec: ServerGroupSpec
  readonly status?: ServerGroupStatus
}

export const SERVER_GROUP = defineResource<ServerGroup>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'ServerGroup',
  plural: 'servergroups',
  namespaced: true,
})
