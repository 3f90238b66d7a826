// Generated from crds/compute.kilonova.dev_instanceactions.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type InstanceActionSpecAction = 'create' | 'start' | 'stop' | 'delete' | 'lock' | 'unlock'

export interface InstanceActionSpec {
  /** The operation, under Nova's name. lock and unlock are there to be asked for; the others are recorded. */
  readonly action: InstanceActionSpecAction
  /** The name of the instance, in the same namespace. */
  readonly instance: string
  /** The uid of the instance. Give it to mean that very instance and no later one of its name; nova-api writes it down otherwise. */
  readonly instanceUid?: string
  /** For lock, why. Nova's locked_reason. */
  readonly reason?: string
  /** For lock, locks as an administrator; for unlock, also takes off an administrator's lock. Where Kilonova's policies are on, it needs the right to create instanceactions/override. */
  readonly override?: boolean
  /** The request's id, found in every service's log. Written when the action is accepted. */
  readonly requestId?: string
  /** Who asked, or - where the cluster does not tell. */
  readonly user?: string
  /** When the action was accepted. */
  readonly startTime?: string
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

/** One operation on one instance. Create one to ask for the operation; nova-api accepts it, has it done and writes down how it ended. The operations that are asked for on the Instance itself get theirs from nova-api. Nova's instance action, what `openstack server event list` shows. It outlives its instance and goes some time after it finished. */
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
