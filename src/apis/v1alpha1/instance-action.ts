// Generated from crds/compute.kilonova.dev_instanceactions.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type InstanceActionSpecAction = 'create' | 'start' | 'stop' | 'delete'

export interface InstanceActionSpec {
  /** What was asked for, under Nova's name. */
  readonly action: InstanceActionSpecAction
  /** The instance's name. */
  readonly instance: string
  readonly instanceUid: string
  /** The request's id, found in every service's log. */
  readonly requestId: string
  /** Who asked, or - where the cluster does not tell. */
  readonly user: string
  readonly startTime: string
}

export type InstanceActionStatusResult = 'Success' | 'Error'

export type InstanceActionStatusEventResult = 'Success' | 'Error'

export interface InstanceActionStatusEvent {
  /** The step, under Nova's name where Nova has it (compute_stop_instance). */
  readonly name: string
  /** The host, or the service, that took the step. */
  readonly host: string
  readonly startTime: string
  readonly finishTime?: string
  readonly result?: InstanceActionStatusEventResult
  readonly details?: string
}

export interface InstanceActionStatusPlacementFilter {
  readonly name: string
  readonly removed: number
  /** The most frequent reasons, with the number of hosts each. */
  readonly reasons?: readonly string[]
}

export interface InstanceActionStatusPlacementWeighed {
  readonly host: string
  readonly weight: number
}

export interface InstanceActionStatusPlacement {
  /** The host that was chosen; empty when none was valid. */
  readonly host?: string
  /** Hosts that were considered. */
  readonly considered?: number
  /** What each filter took out, in the order they ran. */
  readonly filters?: readonly InstanceActionStatusPlacementFilter[]
  /** The best few hosts with their weights, best first. */
  readonly weighed?: readonly InstanceActionStatusPlacementWeighed[]
}

export interface InstanceActionStatus {
  /** Set when the operation has finished. */
  readonly result?: InstanceActionStatusResult
  /** In one sentence, why the operation failed. */
  readonly message?: string
  readonly finishTime?: string
  /** The steps of the operation, in the order they began. */
  readonly events?: readonly InstanceActionStatusEvent[]
  /** Why this host, for an operation that asked the scheduler. */
  readonly placement?: InstanceActionStatusPlacement
}

/** The record of one operation on one instance, written by the services. Nova's instance action, what `openstack server event list` shows. It outlives its instance and goes some time after it finished. */
export interface InstanceAction extends KubeObject {
  readonly spec: InstanceActionSpec
  readonly status?: InstanceActionStatus
}

export const INSTANCE_ACTION = defineResource<InstanceAction>({
  group: 'compute.kilonova.dev',
  version: 'v1alpha1',
  kind: 'InstanceAction',
  plural: 'instanceactions',
  namespaced: true,
})
