// Generated from crds/compute.kilonova.dev_computenodes.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export interface ComputeNodeSpecAllocationRatios {
  readonly cpu?: number
  readonly memory?: number
  readonly disk?: number
}

export interface ComputeNodeSpecReserved {
  readonly vcpus?: number
  readonly memoryMb?: number
  readonly diskGb?: number
}

export interface ComputeNodeSpec {
  /** No new instance is placed here. Those that run go on. */
  readonly disabled: boolean
  readonly disabledReason?: string
  /** Treat the agent as down, whatever it reports. */
  readonly forcedDown: boolean
  /** How often a physical resource may be booked. Unset means the scheduler's default (cpu 4.0, memory 1.0, disk 1.0). */
  readonly allocationRatios: ComputeNodeSpecAllocationRatios
  /** What is kept back for the host itself. Unset means the scheduler's default (0 vCPUs, 512 MiB, 0 GiB). */
  readonly reserved: ComputeNodeSpecReserved
  /** What the host can do, for flavors and images that ask for it. Nova's custom traits begin with CUSTOM_. */
  readonly traits?: readonly string[]
}

export type ComputeNodeStatusState = 'up' | 'down'

export interface ComputeNodeStatusInventory {
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
}

export interface ComputeNodeStatusUsage {
  readonly vcpus: number
  readonly memoryMb: number
  readonly diskGb: number
  readonly runningVms: number
}

export interface ComputeNodeStatus {
  /** Whether the agent reports. */
  readonly state?: ComputeNodeStatusState
  readonly stateReason?: string
  readonly stateChangedAt?: string
  /** The agent's version. */
  readonly version?: string
  readonly availabilityZone?: string
  readonly hypervisorType?: string
  readonly architecture?: string
  /** The address of the host. Nova's host_ip. */
  readonly hostIp?: string
  /** What the host has. */
  readonly inventory?: ComputeNodeStatusInventory
  /** What the agent has claimed for instances. Stopped instances keep their claim. */
  readonly usage?: ComputeNodeStatusUsage
  readonly reportedAt?: string
}

/** A host that instances can run on. spec is the operator's, status the agent's on that host. Nova's compute node, service record and resource provider in one. */
export interface ComputeNode extends KubeObject {
  readonly spec: ComputeNodeSpec
  readonly status?: ComputeNodeStatus
}

export const COMPUTE_NODE = defineResource<ComputeNode>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'ComputeNode',
  plural: 'computenodes',
  namespaced: false,
})
