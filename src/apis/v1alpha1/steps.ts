import type { ActionName, TaskState, VmState } from './states.ts'

/** What is done while an instance is in a task_state. */
export interface Step {
  /** The action it belongs to; where several share it, the most usual one. */
  readonly action: ActionName
  /** The messages that have it done. */
  readonly rpc: readonly string[]
  /** What the agent has its driver do. */
  readonly driver: readonly string[]
  /** The vm_state it leaves when it fails for good; `unchanged` keeps the one the instance is in. */
  readonly failure: VmState | 'unchanged'
  /** How long it may make no progress at all before the operation fails, in seconds. */
  readonly timeoutSeconds: number
}

/** The steps of the operations, by the task_state an instance is in meanwhile. Part of the table in operations.ts. */
export const STEPS: Readonly<Record<TaskState, Step>> = {
  scheduling: {
    action: 'create',
    rpc: ['build_instances'],
    driver: [],
    failure: 'error',
    timeoutSeconds: 300,
  },
  spawning: {
    action: 'create',
    rpc: ['build_instances', 'build_and_run_instance'],
    driver: ['spawn'],
    failure: 'error',
    timeoutSeconds: 1800,
  },
  'powering-off': {
    action: 'stop',
    rpc: ['stop_instance'],
    driver: ['powerOff'],
    failure: 'unchanged',
    timeoutSeconds: 300,
  },
  'powering-on': {
    action: 'start',
    rpc: ['start_instance'],
    driver: ['powerOn'],
    failure: 'unchanged',
    timeoutSeconds: 600,
  },
  pausing: {
    action: 'pause',
    rpc: ['pause_instance'],
    driver: ['pause'],
    failure: 'unchanged',
    timeoutSeconds: 120,
  },
  unpausing: {
    action: 'unpause',
    rpc: ['unpause_instance'],
    driver: ['unpause'],
    failure: 'unchanged',
    timeoutSeconds: 120,
  },
  suspending: {
    action: 'suspend',
    rpc: ['suspend_instance'],
    driver: ['suspend'],
    failure: 'error',
    timeoutSeconds: 600,
  },
  resuming: {
    action: 'resume',
    rpc: ['resume_instance'],
    driver: ['resume'],
    failure: 'error',
    timeoutSeconds: 600,
  },
  rebooting: {
    action: 'reboot',
    rpc: ['reboot_instance'],
    driver: ['softReboot'],
    failure: 'unchanged',
    timeoutSeconds: 300,
  },
  rebooting_hard: {
    action: 'reboot',
    rpc: ['reboot_instance'],
    driver: ['hardReboot'],
    failure: 'error',
    timeoutSeconds: 600,
  },
  rescuing: {
    action: 'rescue',
    rpc: ['rescue_instance'],
    driver: ['rescue'],
    failure: 'error',
    timeoutSeconds: 900,
  },
  unrescuing: {
    action: 'unrescue',
    rpc: ['unrescue_instance'],
    driver: ['unrescue'],
    failure: 'error',
    timeoutSeconds: 900,
  },
  rebuilding: {
    action: 'rebuild',
    rpc: ['move_instance', 'rebuild_instance'],
    driver: ['destroy', 'spawn', 'powerOff', 'finishMigration'],
    failure: 'error',
    timeoutSeconds: 1800,
  },
  resize_prep: {
    action: 'resize',
    rpc: ['move_instance', 'prep_resize'],
    driver: [],
    failure: 'unchanged',
    timeoutSeconds: 300,
  },
  resize_migrating: {
    action: 'resize',
    rpc: ['resize_instance'],
    driver: ['powerOff'],
    failure: 'error',
    timeoutSeconds: 600,
  },
  resize_migrated: {
    action: 'resize',
    rpc: ['finish_resize'],
    driver: ['finishMigration'],
    failure: 'error',
    timeoutSeconds: 1800,
  },
  resize_confirming: {
    action: 'confirmResize',
    rpc: ['confirm_resize'],
    driver: ['destroy'],
    failure: 'error',
    timeoutSeconds: 600,
  },
  resize_reverting: {
    action: 'revertResize',
    rpc: ['revert_resize', 'finish_revert_resize'],
    driver: ['powerOff', 'finishMigration'],
    failure: 'error',
    timeoutSeconds: 1800,
  },
  migrating: {
    action: 'live-migration',
    rpc: ['move_instance', 'pre_live_migration', 'live_migration'],
    driver: ['liveMigrate'],
    failure: 'unchanged',
    timeoutSeconds: 3600,
  },
  shelving: {
    action: 'shelve',
    rpc: ['shelve_instance'],
    driver: ['powerOff'],
    failure: 'unchanged',
    timeoutSeconds: 600,
  },
  shelving_offloading: {
    action: 'shelveOffload',
    rpc: ['shelve_offload_instance'],
    driver: ['powerOff'],
    failure: 'unchanged',
    timeoutSeconds: 600,
  },
  unshelving: {
    action: 'unshelve',
    rpc: ['move_instance', 'unshelve_instance'],
    driver: ['finishMigration'],
    failure: 'unchanged',
    timeoutSeconds: 1800,
  },
  image_snapshot: {
    action: 'createImage',
    rpc: ['snapshot_instance'],
    driver: ['snapshot'],
    failure: 'unchanged',
    timeoutSeconds: 1800,
  },
  'soft-deleting': {
    action: 'softDelete',
    rpc: ['soft_delete_instance'],
    driver: ['powerOff'],
    failure: 'unchanged',
    timeoutSeconds: 600,
  },
  restoring: {
    action: 'restore',
    rpc: ['restore_instance'],
    driver: ['powerOn'],
    failure: 'unchanged',
    timeoutSeconds: 600,
  },
  deleting: {
    action: 'delete',
    rpc: ['terminate_instance'],
    driver: ['destroy'],
    failure: 'error',
    timeoutSeconds: 600,
  },
}

/** The step a task is. */
export function stepOf(taskState: TaskState): Step {
  return STEPS[taskState]
}
