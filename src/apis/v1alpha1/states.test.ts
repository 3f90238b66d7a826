import { describe, expect, it } from 'vitest'
import { ACTION_NAMES, type ApiStatus, apiStatus, TASK_STATES, type TaskState, VM_STATES } from './states.ts'

const RESIZING = ['resize_prep', 'resize_migrating', 'resize_migrated'] as const

/** Nova's word for each vm_state: nova/api/openstack/common.py, written down a second time. */
const DEFAULT_WORD = {
  building: 'BUILD',
  active: 'ACTIVE',
  stopped: 'SHUTOFF',
  paused: 'PAUSED',
  suspended: 'SUSPENDED',
  rescued: 'RESCUE',
  resized: 'VERIFY_RESIZE',
  shelved: 'SHELVED',
  shelved_offloaded: 'SHELVED_OFFLOADED',
  'soft-delete': 'SOFT_DELETED',
  error: 'ERROR',
  deleted: 'DELETED',
} as const

/** Where the task_state makes another word of it: [vm_state, task_states, word]. */
const REFINED: readonly (readonly [string, readonly TaskState[], ApiStatus])[] = [
  ['active', ['rebooting'], 'REBOOT'],
  ['active', ['rebooting_hard'], 'HARD_REBOOT'],
  ['active', ['migrating'], 'MIGRATING'],
  ['active', ['rebuilding'], 'REBUILD'],
  ['active', RESIZING, 'RESIZE'],
  ['stopped', RESIZING, 'RESIZE'],
  ['stopped', ['rebuilding'], 'REBUILD'],
  ['paused', ['migrating'], 'MIGRATING'],
  ['resized', ['resize_reverting'], 'REVERT_RESIZE'],
  ['error', ['rebuilding'], 'REBUILD'],
]

describe.each(VM_STATES)('an instance in vm_state %s', (vmState) => {
  it.each([undefined, ...TASK_STATES])('and task_state %s has Nova’s word', (taskState) => {
    const refined = REFINED.find(
      ([vm, tasks]) => vm === vmState && taskState !== undefined && tasks.includes(taskState),
    )
    expect(apiStatus(vmState, taskState)).toBe(refined?.[2] ?? DEFAULT_WORD[vmState])
  })
})

it.each([
  { what: 'vm_state', names: VM_STATES },
  { what: 'task_state', names: TASK_STATES },
  { what: 'action', names: ACTION_NAMES },
])('no $what is listed twice', ({ names }) => {
  expect(new Set<string>(names).size).toBe(names.length)
})
