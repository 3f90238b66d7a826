import type { TaskState } from '../apis/v1alpha1/states.ts'
import type { MigrationState } from './instance-update.ts'

/** The messages to an agent that name nothing but the instance. */
export type HostMethod =
  | 'stop_instance'
  | 'start_instance'
  | 'pause_instance'
  | 'unpause_instance'
  | 'suspend_instance'
  | 'resume_instance'
  | 'reboot_instance'
  | 'rescue_instance'
  | 'unrescue_instance'
  | 'rebuild_instance'
  | 'prep_resize'
  | 'resize_instance'
  | 'finish_resize'
  | 'confirm_resize'
  | 'revert_resize'
  | 'finish_revert_resize'
  | 'pre_live_migration'
  | 'live_migration'
  | 'shelve_instance'
  | 'shelve_offload_instance'
  | 'unshelve_instance'
  | 'snapshot_instance'
  | 'soft_delete_instance'
  | 'restore_instance'
  | 'terminate_instance'

/** What tells whose turn it is. */
interface InFlight {
  readonly status: {
    readonly taskState?: TaskState | undefined
    readonly host?: string | undefined
    readonly migration?: MigrationState | undefined
  }
}

/** A host's turn with an instance. */
export interface HostTurn {
  readonly host: string
  readonly method: HostMethod
}

/**
 * Whom to tell. The scheduler chooses a host where there is none yet, and tells that one, with what it can take in all: its
 * agent tests the claim once more.
 */
export type NextMessage =
  | {
      readonly to: 'scheduler'
      readonly method: 'build_instances' | 'move_instance'
      readonly turn?: HostTurn | undefined
    }
  | { readonly to: 'compute'; readonly turn: HostTurn }

/**
 * The message that the task of an instance waits for. It follows from the resource alone, so that a lost message can be
 * sent again by anybody at any time. `undefined` when nothing is in flight, or there is nobody to tell.
 */
export function nextMessage({ status }: InFlight): NextMessage | undefined {
  const { taskState, host, migration } = status
  switch (taskState) {
    case undefined:
      return undefined
    case 'scheduling':
    case 'spawning':
      return { to: 'scheduler', method: 'build_instances' }
    case 'rebuilding':
      return migration
        ? byScheduler(migration.destHost, 'rebuild_instance')
        : toHost(host, 'rebuild_instance')
    case 'resize_prep':
      return byScheduler(migration?.destHost, 'prep_resize')
    case 'resize_migrating':
      return toHost(migration?.sourceHost, 'resize_instance')
    case 'resize_migrated':
      return toHost(migration?.destHost, 'finish_resize')
    case 'resize_confirming':
      return toHost(migration?.sourceHost, 'confirm_resize')
    case 'resize_reverting':
      return toHost(host, host === migration?.sourceHost ? 'finish_revert_resize' : 'revert_resize')
    case 'migrating':
      return migration?.status === 'running'
        ? toHost(migration.sourceHost, 'live_migration')
        : byScheduler(migration?.destHost, 'pre_live_migration')
    case 'unshelving':
      return byScheduler(host, 'unshelve_instance')
    default:
      return toHost(host, METHOD[taskState])
  }
}

/** Which host's turn it is with an instance, whoever tells it. */
export function turnOf(instance: InFlight): HostTurn | undefined {
  return nextMessage(instance)?.turn
}

/** The tasks that are the host's, from their beginning to their end. */
const METHOD = {
  'powering-off': 'stop_instance',
  'powering-on': 'start_instance',
  pausing: 'pause_instance',
  unpausing: 'unpause_instance',
  suspending: 'suspend_instance',
  resuming: 'resume_instance',
  rebooting: 'reboot_instance',
  rebooting_hard: 'reboot_instance',
  rescuing: 'rescue_instance',
  unrescuing: 'unrescue_instance',
  shelving: 'shelve_instance',
  shelving_offloading: 'shelve_offload_instance',
  image_snapshot: 'snapshot_instance',
  'soft-deleting': 'soft_delete_instance',
  restoring: 'restore_instance',
  deleting: 'terminate_instance',
} as const satisfies Record<string, HostMethod>

function toHost(host: string | undefined, method: HostMethod): NextMessage | undefined {
  return host === undefined ? undefined : { to: 'compute', turn: { host, method } }
}

function byScheduler(host: string | undefined, method: HostMethod): NextMessage {
  return {
    to: 'scheduler',
    method: 'move_instance',
    turn: host === undefined ? undefined : { host, method },
  }
}
