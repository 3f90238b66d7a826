import { ACTIVE, at, BIG, OFF, type Short, SMALL, STOPPED } from './case.ts'

const MOVE = { sourceHost: 'node-1', destHost: 'node-2', oldVmState: 'active' } as const
const RESIZE = { ...MOVE, type: 'resize', oldFlavor: SMALL, newFlavor: BIG } as const
const LIVE = { ...MOVE, type: 'live-migration' } as const

/** The steps of a resize, its confirmation and its return. */
export const RESIZING: readonly Short[] = [
  {
    name: 'the claim of a resize',
    method: 'prep_resize',
    on: 'node-2',
    before: {
      vmState: 'active',
      taskState: 'resize_prep',
      migration: { ...RESIZE, status: 'preparing' },
    },
    guest: at('node-1', 'RUNNING'),
    calls: [],
    after: {
      vmState: 'active',
      taskState: 'resize_migrating',
      status: 'RESIZE',
      host: 'node-1',
      migration: { ...RESIZE, status: 'running' },
    },
    cleared: [],
    guestAfter: at('node-1', 'RUNNING'),
    says: 'Claim successful for an instance that is to come name=m1.big vcpus=2 memoryMb=1024 diskGb=2',
    next: 'node-1 resize_instance',
  },
  {
    name: 'the departure of a resize',
    method: 'resize_instance',
    before: {
      vmState: 'active',
      taskState: 'resize_migrating',
      migration: { ...RESIZE, status: 'running' },
    },
    guest: at('node-1', 'RUNNING'),
    calls: ['powerOff'],
    after: {
      vmState: 'active',
      taskState: 'resize_migrated',
      host: 'node-2',
      flavor: BIG,
      ...OFF,
      migration: { ...RESIZE, status: 'running' },
    },
    cleared: [],
    guestAfter: at('node-1', 'SHUTDOWN'),
    says: 'Shut off an instance that goes elsewhere to=node-2',
    next: 'node-2 finish_resize',
  },
  ...(
    [
      ['active', 'RUNNING', true],
      ['stopped', 'SHUTDOWN', false],
    ] as const
  ).map(
    ([vmState, power, powerOn]): Short => ({
      name: `the arrival of a resize of what was ${vmState}`,
      method: 'finish_resize',
      on: 'node-2',
      before: {
        vmState,
        taskState: 'resize_migrated',
        host: 'node-2',
        flavor: BIG,
        migration: { ...RESIZE, oldVmState: vmState, status: 'running' },
      },
      guest: at('node-1', 'SHUTDOWN'),
      calls: ['finishMigration'],
      after: {
        vmState: 'resized',
        status: 'VERIFY_RESIZE',
        host: 'node-2',
        powerState: power,
        migration: { ...RESIZE, oldVmState: vmState, status: 'finished' },
        resizedAt: '2026-01-01T00:00:00.000Z',
      },
      guestAfter: at('node-2', power),
      says: `Instance has arrived flavor=m1.big powerOn=${powerOn}`,
    }),
  ),
  ...(
    [
      ['RUNNING', 'active', 'ACTIVE'],
      ['SHUTDOWN', 'stopped', 'SHUTOFF'],
    ] as const
  ).map(
    ([power, vmState, status]): Short => ({
      name: `the confirmation of a resize, its guest ${power}`,
      method: 'confirm_resize',
      before: {
        vmState: 'resized',
        taskState: 'resize_confirming',
        host: 'node-2',
        flavor: BIG,
        powerState: power,
        migration: { ...RESIZE, status: 'confirming' },
        resizedAt: '2025-12-31T00:00:00Z',
      },
      guest: at('node-2', power),
      calls: ['destroy'],
      after: { vmState, status, host: 'node-2', flavor: BIG },
      cleared: ['taskState', 'migration', 'resizedAt'],
      guestAfter: at('node-2', power),
      says: 'Resize is confirmed',
    }),
  ),
  {
    name: 'the return of a resize',
    method: 'revert_resize',
    on: 'node-2',
    before: {
      vmState: 'resized',
      taskState: 'resize_reverting',
      host: 'node-2',
      flavor: BIG,
      migration: { ...RESIZE, status: 'finished' },
      resizedAt: '2025-12-31T00:00:00Z',
    },
    guest: at('node-2', 'RUNNING'),
    calls: ['powerOff'],
    after: {
      vmState: 'resized',
      taskState: 'resize_reverting',
      status: 'REVERT_RESIZE',
      host: 'node-1',
      flavor: SMALL,
      ...OFF,
      migration: { ...RESIZE, status: 'reverting' },
    },
    cleared: [],
    guestAfter: at('node-2', 'SHUTDOWN'),
    says: 'Shut off an instance that goes back to=node-1',
    next: 'node-1 finish_revert_resize',
  },
  {
    name: 'the end of the return of a resize',
    method: 'finish_revert_resize',
    before: {
      vmState: 'resized',
      taskState: 'resize_reverting',
      migration: { ...RESIZE, status: 'reverting' },
      resizedAt: '2025-12-31T00:00:00Z',
    },
    guest: at('node-2', 'SHUTDOWN'),
    calls: ['finishMigration'],
    after: { ...ACTIVE, host: 'node-1', flavor: SMALL },
    cleared: ['taskState', 'migration', 'resizedAt'],
    guestAfter: at('node-1', 'RUNNING'),
    says: 'Instance is back flavor=m1.tiny powerOn=true',
    next: 'node-2 update_available_resource',
  },
]

/** Live migration and evacuation. */
export const MOVING: readonly Short[] = [
  {
    name: 'the claim of a live migration',
    method: 'pre_live_migration',
    on: 'node-2',
    before: { vmState: 'active', taskState: 'migrating', migration: { ...LIVE, status: 'preparing' } },
    guest: at('node-1', 'RUNNING'),
    calls: [],
    after: {
      vmState: 'active',
      taskState: 'migrating',
      status: 'MIGRATING',
      host: 'node-1',
      migration: { ...LIVE, status: 'running' },
    },
    cleared: [],
    guestAfter: at('node-1', 'RUNNING'),
    says: 'Claim successful for an instance that is to come name=m1.tiny vcpus=1 memoryMb=512 diskGb=1',
    next: 'node-1 live_migration',
  },
  {
    name: 'live migration',
    method: 'live_migration',
    before: { vmState: 'active', taskState: 'migrating', migration: { ...LIVE, status: 'running' } },
    guest: at('node-1', 'RUNNING'),
    calls: ['liveMigrate'],
    after: { vmState: 'active', status: 'ACTIVE', host: 'node-2', availabilityZone: 'zone-2' },
    cleared: ['taskState', 'migration'],
    guestAfter: at('node-2', 'RUNNING'),
    says: 'Instance has moved while it ran to=node-2 seconds=0',
  },
  {
    name: 'evacuation',
    method: 'rebuild_instance',
    on: 'node-2',
    before: {
      vmState: 'active',
      taskState: 'rebuilding',
      migration: { ...MOVE, type: 'evacuation', status: 'preparing' },
    },
    guest: at('node-1', 'RUNNING'),
    calls: ['finishMigration'],
    after: { ...STOPPED, host: 'node-2', availabilityZone: 'zone-2' },
    cleared: ['taskState', 'migration'],
    guestAfter: at('node-2', 'SHUTDOWN'),
    says: 'Evacuated instance from=node-1',
    next: 'node-1 update_available_resource',
  },
]
