// Generated from crds/compute.kilonova.dev_computequotas.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface ComputeQuotaSpec {
  /** Instances that have a host. Unset or -1 means no limit. */
  readonly instances?: number
  /** Virtual CPUs of their flavors. */
  readonly cores?: number
  /** Memory of their flavors, in MiB. */
  readonly ram?: number
}

export interface ComputeQuotaStatusUsed {
  readonly instances?: number
  readonly cores?: number
  /** In MiB. */
  readonly ram?: number
}

export interface ComputeQuotaStatus {
  /** What the instances of the namespace have, each counted once. Brought up to date every few seconds; what decides is counted by the scheduler. */
  readonly used?: ComputeQuotaStatusUsed
}

/** What the instances of this namespace may have in all. Where there are several, each of them holds. Nova's compute quotas. */
export interface ComputeQuota extends KubeObject {
  readonly spec: ComputeQuotaSpec
  readonly status?: ComputeQuotaStatus
}

export const COMPUTE_QUOTA = defineResource<ComputeQuota>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'ComputeQuota',
  plural: 'computequotas',
  namespaced: true,
})
