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
  return status.taskState && NEXT[status.taskState](status)
}

/** Which host's turn it is with an instance, whoever tells it. */
export function turnOf(instance: InFlight): HostTurn | undefined {
  return nextMessage(instance)?.turn
}

/** By task; most are the host's from their beginning to their end. */
const NEXT: Readonly<Record<TaskState, (status: InFlight['status']) => NextMessage | undefined>> = {
  scheduling: () => ({ to: 'scheduler', method: 'build_instances' }),
  spawning: () => ({ to: 'scheduler', method: 'build_instances' }),
  'powering-off': ({ host }) => toHost(host, 'stop_instance'),
  'powering-on': ({ host }) => toHost(host, 'start_instance'),
  pausing: ({ host }) => toHost(host, 'pause_instance'),
  unpausing: ({ host }) => toHost(host, 'unpause_instance'),
  suspending: ({ host }) => toHost(host, 'suspend_instance'),
  resuming: ({ host }) => toHost(host, 'resume_instance'),
  rebooting: ({ host }) => toHost(host, 'reboot_instance'),
  rebooting_hard: ({ host }) => toHost(host, 'reboot_instance'),
  rescuing: ({ host }) => toHost(host, 'rescue_instance'),
  unrescuing: ({ host }) => toHost(host, 'unrescue_instance'),
  rebuilding: ({ host, migration }) =>
    migration ? byScheduler(migration.destHost, 'rebuild_instance') : toHost(host, 'rebuild_instance'),
  resize_prep: ({ migration }) => byScheduler(migration?.destHost, 'prep_resize'),
  resize_migrating: ({ migration }) => toHost(migration?.sourceHost, 'resize_instance'),
  resize_migrated: ({ migration }) => toHost(migration?.destHost, 'finish_resize'),
  resize_confirming: ({ migration }) => toHost(migration?.sourceHost, 'confirm_resize'),
  resize_reverting: ({ host, migration }) =>
    toHost(host, host === migration?.sourceHost ? 'finish_revert_resize' : 'revert_resize'),
  migrating: ({ migration }) =>
    migration?.status === 'running'
      ? toHost(migration.sourceHost, 'live_migration')
      : byScheduler(migration?.destHost, 'pre_live_migration'),
  shelving: ({ host }) => toHost(host, 'shelve_instance'),
  shelving_offloading: ({ host }) => toHost(host, 'shelve_offload_instance'),
  unshelving: ({ host }) => byScheduler(host, 'unshelve_instance'),
  image_snapshot: ({ host }) => toHost(host, 'snapshot_instance'),
  'soft-deleting': ({ host }) => toHost(host, 'soft_delete_instance'),
  restoring: ({ host }) => toHost(host, 'restore_instance'),
  deleting: ({ host }) => toHost(host, 'terminate_instance'),
}

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
