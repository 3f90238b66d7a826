// Generated from crds/compute.kilonova.dev_hostaggregates.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface HostAggregateSpec {
  /** Names of hosts. */
  readonly hosts?: readonly string[]
  /** Hosts whose Node has all these labels, as in a Pod. */
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** The zone of these hosts, in place of what their agents report. A host can be in one zone only. */
  readonly availabilityZone?: string
  /** What filters and weighers read, under Nova's names; docs/scheduler.md lists them. Several values are separated by commas. */
  readonly metadata?: Readonly<Record<string, string>>
}

export type HostAggregateStatusConditionStatus = 'True' | 'False' | 'Unknown'

export interface HostAggregateStatusCondition {
  readonly type: string
  readonly status: HostAggregateStatusConditionStatus
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

export interface HostAggregateStatus {
  /** How many hosts are in it. */
  readonly hosts?: number
  /** Ready says whether all of it is used as it is written. */
  readonly conditions?: readonly HostAggregateStatusCondition[]
}

/** Hosts that have something in common, and what that is. Nova's host aggregate. A host may be in several. */
export interface HostAggregate extends KubeObject {
  readonly spec: HostAggregateSpec
  readonly status?: HostAggregateStatus
}

export const HOST_AGGREGATE = defineResource<HostAggregate>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'HostAggregate',
  plural: 'hostaggregates',
  namespaced: false,
})
