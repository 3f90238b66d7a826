import { defineResource, type KubeObject } from '../../kube/resource.ts'

/** How far a live migration has come, on the migration and on the VMI. */
export interface MigrationState {
  readonly migrationUid?: string
  readonly sourceNode?: string
  readonly targetNode?: string
  readonly completed?: boolean
  readonly failed?: boolean
  readonly failureReason?: string
}

/** The request to move a VMI while it runs, to wherever its affinity admits. */
export interface VirtualMachineInstanceMigration extends KubeObject {
  readonly spec: { readonly vmiName: string }
  readonly status?: {
    /** Pending, Scheduling, Scheduled, PreparingTarget, TargetReady, Running, Succeeded, Failed. */
    readonly phase?: string
    readonly migrationState?: MigrationState
  }
}

export const VIRTUAL_MACHINE_INSTANCE_MIGRATION = defineResource<VirtualMachineInstanceMigration>({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'VirtualMachineInstanceMigration',
  plural: 'virtualmachineinstancemigrations',
  namespaced: true,
})
