import type { OperationName } from '../../src/apis/v1alpha1/operations.ts'

/** How Nova does an operation. */
export interface NovaOperation {
  /** How a Nova user asks for it. */
  readonly asked: string
  readonly vmStates: readonly string[] | 'any'
  /** `null`: none. */
  readonly taskStates: readonly (string | null)[] | 'any'
  /** Whether a lock refuses it to a user who is no administrator. */
  readonly lock: 'refuses' | 'allows'
  readonly path: readonly string[]
  readonly success: readonly string[]
  /** The vm_states after a failure; `unchanged` is the one it began in. Empty where nothing can fail half-way. */
  readonly failure: readonly string[]
}

const IDLE = [null] as const
const REFUSES = { taskStates: IDLE, lock: 'refuses' } as const

/**
 * Nova's side of docs/state-machine.md: from the decorators of nova/compute/api.py and the methods of
 * nova/compute/manager.py, conductor and API controllers included. Of 2026.1.
 */
export const NOVA: Readonly<Record<OperationName, NovaOperation>> = {
  create: {
    asked: 'openstack server create',
    vmStates: ['building'],
    taskStates: 'any',
    lock: 'allows',
    path: ['scheduling', 'networking', 'block_device_mapping', 'spawning'],
    success: ['active'],
    failure: ['error'],
  },
  delete: {
    asked: 'openstack server delete',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'refuses',
    path: ['deleting'],
    success: ['deleted'],
    failure: ['error'],
  },
  start: {
    asked: 'openstack server start',
    vmStates: ['stopped'],
    ...REFUSES,
    path: ['powering-on'],
    success: ['active'],
    failure: ['unchanged'],
  },
  stop: {
    asked: 'openstack server stop',
    vmStates: ['active', 'error'],
    ...REFUSES,
    path: ['powering-off'],
    success: ['stopped'],
    failure: ['unchanged'],
  },
  pause: {
    asked: 'openstack server pause',
    vmStates: ['active'],
    ...REFUSES,
    path: ['pausing'],
    success: ['paused'],
    failure: ['unchanged'],
  },
  unpause: {
    asked: 'openstack server unpause',
    vmStates: ['paused'],
    ...REFUSES,
    path: ['unpausing'],
    success: ['active'],
    failure: ['unchanged'],
  },
  suspend: {
    asked: 'openstack server suspend',
    vmStates: ['active'],
    ...REFUSES,
    path: ['suspending'],
    success: ['suspended'],
    failure: ['error'],
  },
  resume: {
    asked: 'openstack server resume',
    vmStates: ['suspended'],
    ...REFUSES,
    path: ['resuming'],
    success: ['active'],
    failure: ['error'],
  },
  rebootSoft: {
    asked: 'openstack server reboot',
    vmStates: ['active'],
    ...REFUSES,
    path: ['rebooting', 'reboot_pending', 'reboot_started'],
    success: ['active'],
    failure: ['unchanged', 'error'],
  },
  rebootHard: {
    asked: 'openstack server reboot --hard',
    vmStates: ['active', 'stopped', 'paused', 'suspended', 'error'],
    taskStates: [
      null,
      'rebooting',
      'reboot_pending',
      'reboot_started',
      'rebooting_hard',
      'resuming',
      'pausing',
      'unpausing',
      'suspending',
    ],
    lock: 'refuses',
    path: ['rebooting_hard', 'reboot_pending_hard', 'reboot_started_hard'],
    success: ['active'],
    failure: ['active', 'error'],
  },
  rescue: {
    asked: 'openstack server rescue',
    vmStates: ['active', 'stopped', 'error'],
    ...REFUSES,
    path: ['rescuing'],
    success: ['rescued'],
    failure: ['error'],
  },
  unrescue: {
    asked: 'openstack server unrescue',
    vmStates: ['rescued'],
    ...REFUSES,
    path: ['unrescuing'],
    success: ['active'],
    failure: ['error'],
  },
  rebuild: {
    asked: 'openstack server rebuild --image',
    vmStates: ['active', 'stopped', 'error'],
    ...REFUSES,
    path: ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning'],
    success: ['active', 'stopped'],
    failure: ['error'],
  },
  resize: {
    asked: 'openstack server resize --flavor',
    vmStates: ['active', 'stopped'],
    ...REFUSES,
    path: ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish'],
    success: ['resized'],
    failure: ['unchanged', 'error'],
  },
  confirmResize: {
    asked: 'openstack server resize confirm',
    vmStates: ['resized'],
    ...REFUSES,
    path: [],
    success: ['active', 'stopped'],
    failure: ['error'],
  },
  revertResize: {
    asked: 'openstack server resize revert',
    vmStates: ['resized'],
    ...REFUSES,
    path: ['resize_reverting'],
    success: ['active', 'stopped'],
    failure: ['error'],
  },
  migrate: {
    asked: 'openstack server migrate',
    vmStates: ['active', 'stopped'],
    ...REFUSES,
    path: ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish'],
    success: ['resized'],
    failure: ['unchanged', 'error'],
  },
  'live-migration': {
    asked: 'openstack server migrate --live-migration',
    vmStates: ['active', 'paused'],
    ...REFUSES,
    path: ['migrating'],
    success: ['unchanged'],
    failure: ['unchanged', 'error'],
  },
  evacuate: {
    asked: 'openstack server evacuate',
    vmStates: ['active', 'stopped', 'error'],
    taskStates: 'any',
    lock: 'allows',
    path: ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning'],
    success: ['stopped'],
    failure: ['error'],
  },
  shelve: {
    asked: 'openstack server shelve',
    vmStates: ['active', 'stopped', 'paused', 'suspended'],
    ...REFUSES,
    path: ['shelving', 'shelving_image_pending_upload', 'shelving_image_uploading', 'shelving_offloading'],
    success: ['shelved', 'shelved_offloaded'],
    failure: ['unchanged'],
  },
  shelveOffload: {
    asked: 'openstack server shelve --offload',
    vmStates: ['shelved'],
    ...REFUSES,
    path: ['shelving_offloading'],
    success: ['shelved_offloaded'],
    failure: ['unchanged'],
  },
  unshelve: {
    asked: 'openstack server unshelve',
    vmStates: ['shelved', 'shelved_offloaded'],
    ...REFUSES,
    path: ['unshelving', 'powering-on', 'spawning'],
    success: ['active'],
    failure: ['unchanged'],
  },
  createImage: {
    asked: 'openstack server image create',
    vmStates: ['active', 'stopped', 'paused', 'suspended'],
    taskStates: IDLE,
    lock: 'allows',
    path: ['image_snapshot_pending', 'image_snapshot', 'image_pending_upload', 'image_uploading'],
    success: ['unchanged'],
    failure: ['unchanged'],
  },
  softDelete: {
    asked: 'openstack server delete',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'refuses',
    path: ['soft-deleting'],
    success: ['soft-delete'],
    failure: ['unchanged'],
  },
  restore: {
    asked: 'openstack server restore',
    vmStates: ['soft-delete'],
    ...REFUSES,
    path: ['restoring'],
    success: ['active'],
    failure: ['unchanged'],
  },
  forceDelete: {
    asked: 'openstack server delete --force',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'refuses',
    path: ['deleting'],
    success: ['deleted'],
    failure: ['error'],
  },
  lock: {
    asked: 'openstack server lock',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    path: [],
    success: ['unchanged'],
    failure: [],
  },
  unlock: {
    asked: 'openstack server unlock',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    path: [],
    success: ['unchanged'],
    failure: [],
  },
  resetState: {
    asked: 'openstack server set --state',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    path: [],
    success: ['active', 'error'],
    failure: [],
  },
  getConsoleOutput: {
    asked: 'openstack console log show',
    vmStates: 'any',
    taskStates: 'any',
    lock: 'allows',
    path: [],
    success: ['unchanged'],
    failure: [],
  },
}
