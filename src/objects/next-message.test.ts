import { describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { stepOf } from '../apis/v1alpha1/steps.ts'
import { TASK_STATES, type TaskState } from '../apis/v1alpha1/states.ts'
import type { MigrationState } from './instance-update.ts'
import { type HostMethod, nextMessage, type NextMessage, turnOf } from './next-message.ts'

const HERE = 'node-1'
const THERE = 'node-2'

function move(fields: Partial<MigrationState> = {}): MigrationState {
  return { type: 'resize', status: 'accepted', oldVmState: 'active', sourceHost: HERE, ...fields }
}

function host(name: string, method: HostMethod): NextMessage {
  return { to: 'compute', turn: { host: name, method } }
}

function scheduler(turn?: { host: string; method: HostMethod }): NextMessage {
  return { to: 'scheduler', method: 'move_instance', turn }
}

const BUILD: NextMessage = { to: 'scheduler', method: 'build_instances' }

interface Case {
  readonly what?: string
  readonly status: Pick<InstanceStatus, 'host'> & { readonly migration?: MigrationState }
  readonly want: NextMessage | undefined
}

/** What is the host's own, from beginning to end: its message, and nobody's where there is no host. */
function own(method: HostMethod): readonly Case[] {
  return [
    { status: { host: HERE }, want: host(HERE, method) },
    { what: 'without a host', status: {}, want: undefined },
    {
      what: 'of one that waits for the confirmation of its resize',
      status: { host: THERE, migration: move({ status: 'finished', destHost: THERE }) },
      want: host(THERE, method),
    },
  ]
}

/** Whom each task waits for. */
const CASES: Readonly<Record<TaskState, readonly Case[]>> = {
  scheduling: [{ status: {}, want: BUILD }],
  spawning: [{ status: { host: HERE }, want: BUILD }],
  'powering-off': own('stop_instance'),
  'powering-on': own('start_instance'),
  pausing: own('pause_instance'),
  unpausing: own('unpause_instance'),
  suspending: own('suspend_instance'),
  resuming: own('resume_instance'),
  rebooting: own('reboot_instance'),
  rebooting_hard: own('reboot_instance'),
  rescuing: own('rescue_instance'),
  unrescuing: own('unrescue_instance'),
  rebuilding: [
    { status: { host: HERE }, want: host(HERE, 'rebuild_instance') },
    { what: 'without a host', status: {}, want: undefined },
    {
      what: 'of an evacuation that has no destination yet',
      status: { host: HERE, migration: move({ type: 'evacuation' }) },
      want: scheduler(),
    },
    {
      what: 'of an evacuation',
      status: { host: HERE, migration: move({ type: 'evacuation', status: 'preparing', destHost: THERE }) },
      want: scheduler({ host: THERE, method: 'rebuild_instance' }),
    },
  ],
  resize_prep: [
    { status: { host: HERE, migration: move() }, want: scheduler() },
    {
      what: 'with a destination',
      status: { host: HERE, migration: move({ status: 'preparing', destHost: THERE }) },
      want: scheduler({ host: THERE, method: 'prep_resize' }),
    },
  ],
  resize_migrating: [
    {
      status: { host: HERE, migration: move({ status: 'running', destHost: THERE }) },
      want: host(HERE, 'resize_instance'),
    },
    { what: 'of what does not move', status: { host: HERE }, want: undefined },
  ],
  resize_migrated: [
    {
      status: { host: THERE, migration: move({ status: 'running', destHost: THERE }) },
      want: host(THERE, 'finish_resize'),
    },
    { what: 'of what does not move', status: { host: HERE }, want: undefined },
  ],
  resize_confirming: [
    {
      status: { host: THERE, migration: move({ status: 'confirming', destHost: THERE }) },
      want: host(HERE, 'confirm_resize'),
    },
    { what: 'of what does not move', status: { host: HERE }, want: undefined },
  ],
  resize_reverting: [
    {
      what: 'on its destination',
      status: { host: THERE, migration: move({ status: 'finished', destHost: THERE }) },
      want: host(THERE, 'revert_resize'),
    },
    {
      what: 'back on its source',
      status: { host: HERE, migration: move({ status: 'reverting', destHost: THERE }) },
      want: host(HERE, 'finish_revert_resize'),
    },
  ],
  migrating: [
    { status: { host: HERE, migration: move({ type: 'live-migration' }) }, want: scheduler() },
    {
      what: 'with a destination',
      status: {
        host: HERE,
        migration: move({ type: 'live-migration', status: 'preparing', destHost: THERE }),
      },
      want: scheduler({ host: THERE, method: 'pre_live_migration' }),
    },
    {
      what: 'when its destination is ready',
      status: {
        host: HERE,
        migration: move({ type: 'live-migration', status: 'running', destHost: THERE }),
      },
      want: host(HERE, 'live_migration'),
    },
  ],
  shelving: own('shelve_instance'),
  shelving_offloading: own('shelve_offload_instance'),
  unshelving: [
    { status: { host: HERE }, want: scheduler({ host: HERE, method: 'unshelve_instance' }) },
    { what: 'that has no host yet', status: {}, want: scheduler() },
  ],
  image_snapshot: own('snapshot_instance'),
  'soft-deleting': own('soft_delete_instance'),
  restoring: own('restore_instance'),
  deleting: own('terminate_instance'),
}

describe.each(TASK_STATES)('task_state %s', (taskState) => {
  it.each(CASES[taskState])('$what waits for whoever has the turn', ({ status, want }) => {
    expect(nextMessage({ status: { taskState, ...status } })).toEqual(want)
  })

  it('waits for messages that the table of operations has for it', () => {
    const methods = CASES[taskState].flatMap(({ want }) => [
      ...(want?.to === 'scheduler' ? [want.method] : []),
      ...(want?.turn ? [want.turn.method] : []),
    ])
    expect(methods.filter((method) => !stepOf(taskState).rpc.includes(method))).toEqual([])
  })
})

it('an instance that nothing is done to waits for nobody', () => {
  const migration = move({ status: 'finished', destHost: THERE })
  expect(nextMessage({ status: { host: THERE, migration } })).toBeUndefined()
})

it('the turn is a host’s, whoever tells it, and nobody’s where the scheduler has to choose', () => {
  const taskState = 'resize_prep'
  expect(turnOf({ status: { taskState, host: HERE, migration: move({ destHost: THERE }) } })).toEqual({
    host: THERE,
    method: 'prep_resize',
  })
  expect(turnOf({ status: { taskState, host: HERE, migration: move() } })).toBeUndefined()
  expect(turnOf({ status: { taskState: 'scheduling' } })).toBeUndefined()
})
