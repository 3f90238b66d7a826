import { describe, expect, it } from 'vitest'
import { OPERATIONS } from './operations.ts'
import { ACTION_NAMES, type ActionName, type TaskState } from './states.ts'
import { actionInFlight, isAsked, isImmediate, operationOf } from './which-operation.ts'

describe('an action', () => {
  it.each(ACTION_NAMES)('%s is the operation that bears it', (action) => {
    expect(OPERATIONS[operationOf({ action })].action).toBe(action)
  })

  it.each([
    { type: 'Soft', name: 'rebootSoft' },
    { type: 'Hard', name: 'rebootHard' },
    { type: undefined, name: 'rebootSoft' },
  ] as const)('reboot of type $type is $name', ({ type, name }) => {
    expect(operationOf({ action: 'reboot', ...(type && { type }) })).toBe(name)
  })

  /** What a user says on the Instance itself: its being there, its power state, its flavor. */
  const ON_THE_INSTANCE: readonly ActionName[] = [
    'create',
    'delete',
    'start',
    'stop',
    'pause',
    'unpause',
    'suspend',
    'resume',
    'resize',
  ]
  it.each(ACTION_NAMES)('%s is asked for where it should be', (action) => {
    expect(isAsked(action)).toBe(!ON_THE_INSTANCE.includes(action))
  })

  it.each(ACTION_NAMES)('%s takes its time or is done at once', (action) => {
    const atOnce = ['lock', 'unlock', 'resetState', 'forceDelete', 'getConsoleOutput']
    expect(isImmediate(action)).toBe(atOnce.includes(action))
  })
})

describe('the operation in flight', () => {
  /** By task_state, where only one action has it. */
  const ALONE = {
    scheduling: 'create',
    spawning: 'create',
    'powering-off': 'stop',
    'powering-on': 'start',
    pausing: 'pause',
    unpausing: 'unpause',
    suspending: 'suspend',
    resuming: 'resume',
    rebooting: 'reboot',
    rebooting_hard: 'reboot',
    rescuing: 'rescue',
    unrescuing: 'unrescue',
    resize_confirming: 'confirmResize',
    resize_reverting: 'revertResize',
    migrating: 'live-migration',
    shelving: 'shelve',
    shelving_offloading: 'shelveOffload',
    unshelving: 'unshelve',
    image_snapshot: 'createImage',
    'soft-deleting': 'softDelete',
    restoring: 'restore',
    deleting: 'delete',
  } as const satisfies Partial<Record<TaskState, ActionName>>
  const [resize, migration, evacuation] = (['resize', 'migration', 'evacuation'] as const).map((type) => ({
    type,
  }))

  it.each(Object.entries(ALONE))('in task_state %s is %s, whatever moves', (task, action) => {
    const taskState = task as TaskState
    expect(actionInFlight({ taskState })).toBe(action)
    // A migration that waits for its confirmation does not change what is being done.
    expect(actionInFlight({ taskState, migration: { type: 'migration' } })).toBe(action)
  })

  it.each([
    { taskState: 'rebuilding', migration: undefined, want: 'rebuild' },
    { taskState: 'rebuilding', migration: evacuation, want: 'evacuate' },
    { taskState: 'resize_prep', migration: resize, want: 'resize' },
    { taskState: 'resize_prep', migration: migration, want: 'migrate' },
    { taskState: 'resize_migrating', migration: resize, want: 'resize' },
    { taskState: 'resize_migrating', migration: migration, want: 'migrate' },
    { taskState: 'resize_migrated', migration: resize, want: 'resize' },
    { taskState: 'resize_migrated', migration: migration, want: 'migrate' },
  ] as const)('in task_state $taskState, moving by $migration.type, is $want', ({ want, ...status }) => {
    expect(actionInFlight(status)).toBe(want)
  })
})
