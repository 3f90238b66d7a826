// Generated from crds/compute.kilonova.dev_instanceactions.yaml by `npm run generate`. Do not edit.
import { defineResource, type KubeObject } from '../../kube/resource.ts'

export type InstanceActionSpecAction =
  | 'create'
  | 'start'
  | 'stop'
  | 'pause'
  | 'unpause'
  | 'suspend'
  | 'resume'
  | 'resize'
  | 'delete'
  | 'reboot'
  | 'rescue'
  | 'unrescue'
  | 'rebuild'
  | 'confirmResize'
  | 'revertResize'
  | 'migrate'
  | 'live-migration'
  | 'evacuate'
  | 'shelve'
  | 'shelveOffload'
  | 'unshelve'
  | 'createImage'
  | 'softDelete'
  | 'restore'
  | 'forceDelete'
  | 'lock'
  | 'unlock'
  | 'resetState'
  | 'getConsoleOutput'

export type InstanceActionSpecType = 'Soft' | 'Hard'

export type InstanceActionSpecState = 'active' | 'error'

export interface InstanceActionSpec {
  /** The operation, under Nova's name. create, delete, start, stop, pause, unpause, suspend, resume and resize are asked for on the Instance and only recorded here; the others are there to be asked for. */
  readonly action: InstanceActionSpecAction
  /** The name of the instance, in the same namespace. */
  readonly instance: string
  /** The uid of the instance. Give it to mean that very instance and no later one of its name; nova-api writes it down otherwise. */
  readonly instanceUid?: string
  /** For lock, why. Nova's locked_reason. */
  readonly reason?: string
  /** For lock, locks as an administrator; for unlock, also takes off an administrator's lock. Where Kilonova's policies are on, it needs the right to create instanceactions/override. */
  readonly override?: boolean
  /** For reboot, how. Soft asks the guest to reboot itself, and is meant when nothing is said; Hard resets it whatever it does. */
  readonly type?: InstanceActionSpecType
  /** For rebuild, the Image that the instance gets; for rescue, the one it boots from meanwhile, its own where nothing is said. */
  readonly image?: string
  /** For createImage, the name of the Image that is made. */
  readonly imageName?: string
  /** For migrate, live-migration and evacuate, where to; the scheduler chooses where nothing is said. Where Kilonova's policies are on, it needs the right to create instances/forcehost. */
  readonly host?: string
  /** For resetState, the vm_state that is written down. Nothing is done to the guest. */
  readonly state?: InstanceActionSpecState
  /** For getConsoleOutput, how many of the last lines; 50 where nothing is said. */
  readonly lines?: number
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
  /** What each weigher gave to the weight, multiplied; those that gave something. */
  readonly weighers?: Readonly<Record<string, number>>
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
  /** Of getConsoleOutput, what the guest wrote to its serial console last. */
  readonly output?: string
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
