import type {
  MigrationState,
  VirtualMachineInstanceMigration,
} from '../../virt/kubevirt/migration-resource.ts'
import { isFinal } from '../../virt/kubevirt/power-state.ts'
import type { VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'
import type { Behaviour } from './behaviour.ts'
import type { Fit } from './placement.ts'

/** What becomes of a live migration next. */
export type MigrationStep =
  | { readonly kind: 'accept' }
  /** The guest's memory begins to go to that node. */
  | { readonly kind: 'begin'; readonly target: string }
  /** The guest runs on the other node now. */
  | { readonly kind: 'arrive'; readonly target: string }
  | { readonly kind: 'fail'; readonly reason: string }
  /** It is over: the migration's own status is what is left to write. */
  | { readonly kind: 'end'; readonly state: MigrationState }
  | { readonly kind: 'wait'; readonly afterMs?: number }

export interface MigrationView {
  readonly migration: VirtualMachineInstanceMigration
  readonly vmi: VirtualMachineInstance | undefined
  readonly behaviour: Behaviour
  /** Where its target Pod fits, the node it runs on left out. */
  readonly fit: Fit
  /** Since the migration was made, and since its memory begins to go. */
  readonly ageMs: number
  readonly movingMs: number
  readonly moveMs: number
  /** How long a target Pod may find no node. */
  readonly unschedulableMs: number
}

/** What KubeVirt's migration controller and virt-handlers do, in one. Pure. */
export function migrationStepOf(view: MigrationView): MigrationStep {
  const { migration, vmi } = view
  if (isOver(migration)) return { kind: 'wait' }
  if (!vmi || isFinal(vmi)) return { kind: 'fail', reason: 'vmi does not exist or is in a final state' }
  const state = vmi.status?.migrationState
  if (state === undefined || state.migrationUid !== migration.metadata.uid) return starting(view, vmi)
  return state.completed === true ? { kind: 'end', state } : moving(view, state)
}

export function isOver({ status }: VirtualMachineInstanceMigration): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

/** A migration of it is under way. */
export function isMigrating(vmi: VirtualMachineInstance | undefined): boolean {
  const state = vmi?.status?.migrationState
  return state !== undefined && state.completed !== true
}

function starting(view: MigrationView, vmi: VirtualMachineInstance): MigrationStep {
  const { migration, fit, ageMs, unschedulableMs } = view
  if (isMigrating(vmi)) return { kind: 'fail', reason: inFlight(vmi) }
  if (migration.status?.phase === undefined) return { kind: 'accept' }
  if ('node' in fit) return { kind: 'begin', target: fit.node.metadata.name }
  const { namespace = '', name } = vmi.metadata
  return ageMs < unschedulableMs
    ? { kind: 'wait', afterMs: unschedulableMs - ageMs }
    : {
        kind: 'fail',
        reason: `unschedulable pod ${namespace}/virt-launcher-${name} timeout period exceeded: ${fit.message}`,
      }
}

/** In virt-api's words, which refuses the second migration when it is made. */
function inFlight({ metadata, status }: VirtualMachineInstance): string {
  const uid = status?.migrationState?.migrationUid ?? ''
  return `in-flight migration detected. Active migration job (${uid}) is currently already in progress for VMI ${metadata.name}.`
}

function moving({ behaviour, movingMs, moveMs }: MigrationView, state: MigrationState): MigrationStep {
  switch (behaviour.migration) {
    case 'hang':
      return { kind: 'wait' }
    case 'fail':
      return { kind: 'fail', reason: 'Live migration failed: the guest was told to fail it' }
    case 'normal':
      return movingMs < moveMs
        ? { kind: 'wait', afterMs: moveMs - movingMs }
        : { kind: 'arrive', target: state.targetNode ?? '' }
  }
}
