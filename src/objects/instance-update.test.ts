import { describe, expect, it } from 'vitest'
import type { InstanceStatus, InstanceStatusCondition } from '../apis/v1alpha1/instance.ts'
import { FlavorNotFound } from '../common/errors/flavor-and-image.ts'
import {
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { makeInstance, NEW_STATUS, UID } from '../testing/builders.ts'
import {
  checkExpected,
  hostsOf,
  type ExpectedState,
  type InstanceUpdate,
  toFault,
  toStatusPatch,
} from './instance-update.ts'

const NOW = '2026-11-22T06:20:11.123Z'
const BEFORE = '2026-11-22T06:00:00.000Z'
const REQUEST = 'req-1'
const BOUND: InstanceStatus = {
  vmState: 'building',
  taskState: 'spawning',
  host: 'node-1',
  attempt: 2,
  requestId: REQUEST,
}

const MOVING: InstanceStatus = {
  vmState: 'resized',
  host: 'node-2',
  migration: {
    type: 'resize',
    status: 'finished',
    oldVmState: 'active',
    sourceHost: 'node-1',
    destHost: 'node-2',
  },
}

describe('the hosts that have a say in an instance', () => {
  it.each([
    { what: 'its own', status: BOUND, want: ['node-1'] },
    { what: 'none, before it has one', status: NEW_STATUS, want: [] },
    { what: 'both ends of its way', status: MOVING, want: ['node-2', 'node-1', 'node-2'] },
  ])('are $what', ({ status, want }) => {
    const { host, migration } = status
    expect(hostsOf({ host, migration })).toEqual(want)
  })
})

describe('what a change expects', () => {
  it.each<{ what: string; status: InstanceStatus; expected: ExpectedState }>([
    { what: 'nothing', status: BOUND, expected: {} },
    { what: 'its vm_state among others', status: BOUND, expected: { vmState: ['active', 'building'] } },
    {
      what: 'its task_state among others',
      status: BOUND,
      expected: { taskState: ['scheduling', 'spawning'] },
    },
    { what: 'no task, where there is none', status: { vmState: 'active' }, expected: { taskState: [null] } },
    { what: 'its claim', status: BOUND, expected: { host: 'node-1', attempt: 2 } },
    {
      what: 'no host and no attempt, of one that is new',
      status: NEW_STATUS,
      expected: { host: null, attempt: 0 },
    },
    { what: 'its request', status: BOUND, expected: { requestId: REQUEST } },
    { what: 'its lock', status: { ...BOUND, lockedBy: 'owner' }, expected: { lockedBy: 'owner' } },
    { what: 'no lock, where there is none', status: BOUND, expected: { lockedBy: null } },
    { what: 'a matter of its host', status: BOUND, expected: { involves: 'node-1' } },
    { what: 'a matter of where it comes from', status: MOVING, expected: { involves: 'node-1' } },
    { what: 'a matter of where it goes', status: MOVING, expected: { involves: 'node-2' } },
  ])('holds when it is $what', ({ status, expected }) => {
    expect(() => checkExpected(makeInstance({ status }), expected)).not.toThrow()
  })

  it.each<{ status: InstanceStatus; expected: ExpectedState; says: string }>([
    {
      status: BOUND,
      expected: { vmState: ['active', 'error'] },
      says: 'Expected: vm_state active or error. Actual: vm_state building',
    },
    { status: BOUND, expected: { vmState: [] }, says: 'Actual: vm_state building' },
    {
      status: BOUND,
      expected: { taskState: [null] },
      says: 'Expected: task_state null. Actual: task_state spawning',
    },
    {
      status: { vmState: 'active' },
      expected: { taskState: ['spawning'] },
      says: 'Expected: task_state spawning. Actual: task_state null',
    },
    { status: BOUND, expected: { host: null }, says: 'Expected: host null. Actual: host node-1' },
    { status: BOUND, expected: { host: 'node-2' }, says: 'Expected: host node-2. Actual: host node-1' },
    { status: NEW_STATUS, expected: { host: 'node-1' }, says: 'Expected: host node-1. Actual: host null' },
    {
      status: { ...BOUND, lockedBy: 'admin' },
      expected: { lockedBy: null },
      says: 'Expected: locked_by null. Actual: locked_by admin',
    },
    {
      status: BOUND,
      expected: { lockedBy: 'owner' },
      says: 'Expected: locked_by owner. Actual: locked_by null',
    },
    {
      status: MOVING,
      expected: { involves: 'node-3' },
      says: 'Expected: host node-3. Actual: host node-2',
    },
    {
      status: NEW_STATUS,
      expected: { involves: 'node-1' },
      says: 'Expected: host node-1. Actual: host null',
    },
    { status: BOUND, expected: { attempt: 1 }, says: 'Expected: attempt 1. Actual: attempt 2' },
    {
      status: BOUND,
      expected: { requestId: 'req-2' },
      says: 'Expected: request req-2. Actual: request req-1',
    },
    {
      status: NEW_STATUS,
      expected: { requestId: 'req-2' },
      says: 'Expected: request req-2. Actual: request null',
    },
    {
      status: BOUND,
      expected: { host: 'node-2', vmState: ['active'] },
      says: 'Expected: vm_state active. Actual: vm_state building',
    },
  ])('does not hold: $says', ({ status, expected, says }) => {
    const check = (): void => checkExpected(makeInstance({ status }), expected)
    expect(check).toThrow(UnexpectedTaskStateError)
    expect(check).toThrow(says)
  })

  it.each([
    { what: 'its task is deleting', instance: makeInstance({ status: { ...BOUND, taskState: 'deleting' } }) },
    {
      what: 'Kubernetes has begun to delete it',
      instance: makeInstance({ status: BOUND, deletionTimestamp: NOW }),
    },
  ])('is told apart when it does not hold because $what', ({ instance }) => {
    expect(() => checkExpected(instance, { taskState: ['scheduling'] })).toThrow(
      UnexpectedDeletingTaskStateError,
    )
  })

  it('holds of one that is being deleted, where that is expected', () => {
    const instance = makeInstance({ status: { ...BOUND, taskState: 'deleting' }, deletionTimestamp: NOW })
    expect(() => checkExpected(instance, { taskState: ['deleting'] })).not.toThrow()
  })
})

describe('the patch of a status', () => {
  it('stores what so far only the default showed', () => {
    expect(toStatusPatch(makeInstance(), { attempt: 1 }, NOW)).toMatchObject({
      ...NEW_STATUS,
      id: UID,
      attempt: 1,
    })
  })

  it('says the word of Nova’s API for the state it leads to, and keeps what it leaves out', () => {
    const patch = toStatusPatch(makeInstance({ status: BOUND }), { vmState: 'active', taskState: null }, NOW)
    expect(patch).toMatchObject({ vmState: 'active', taskState: null, status: 'ACTIVE' })
    for (const field of ['host', 'attempt', 'requestId', 'fault']) expect(patch).not.toHaveProperty(field)
  })

  it('takes away what is null', () => {
    const patch = toStatusPatch(
      makeInstance({ status: BOUND }),
      { host: null, alternates: null, fault: null },
      NOW,
    )
    expect(patch).toMatchObject({ host: null, alternates: null, fault: null, taskState: 'spawning' })
  })
})

type Condition = InstanceStatusCondition

function makeCondition(fields: Partial<Condition> = {}): Condition {
  return {
    type: 'Ready',
    status: 'False',
    reason: 'Building',
    message: '',
    lastTransitionTime: BEFORE,
    ...fields,
  }
}

describe('the patch of a migration', () => {
  const { migration } = MOVING

  it('begins with nothing of one before it', () => {
    const begun = {
      type: 'migration',
      status: 'accepted',
      oldVmState: 'active',
      sourceHost: 'node-2',
    } as const
    expect(toStatusPatch(makeInstance({ status: MOVING }), { migration: begun }, NOW)).toMatchObject({
      migration: { ...begun, destHost: null, requestedHost: null, oldFlavor: null, newFlavor: null },
    })
  })

  it('that goes on changes what it names alone', () => {
    const status = { ...MOVING, ...(migration && { migration }) }
    const patch = toStatusPatch(makeInstance({ status }), { migration: { status: 'reverting' } }, NOW)
    expect(patch).toMatchObject({ migration: { status: 'reverting' } })
    expect(Object.keys(patch['migration'] as object)).toEqual(['status'])
  })

  it('that is over takes it away', () => {
    expect(toStatusPatch(makeInstance({ status: MOVING }), { migration: null }, NOW)).toMatchObject({
      migration: null,
      status: 'VERIFY_RESIZE',
    })
  })
})

describe('the condition Ready', () => {
  const fault = { code: 500, message: 'no room', requestId: REQUEST, created: BEFORE }

  it.each<{ what: string; status: InstanceStatus; update: InstanceUpdate; want: Condition }>([
    {
      what: 'begins with the first change',
      status: NEW_STATUS,
      update: { host: 'node-1' },
      want: makeCondition({ message: 'task scheduling in progress', lastTransitionTime: NOW }),
    },
    {
      what: 'becomes True when the instance runs and is idle',
      status: { ...BOUND, conditions: [makeCondition()] },
      update: { vmState: 'active', taskState: null },
      want: makeCondition({ status: 'True', reason: 'Active', lastTransitionTime: NOW }),
    },
    {
      what: 'becomes False while something is done to it',
      status: { vmState: 'active', conditions: [makeCondition({ status: 'True', reason: 'Active' })] },
      update: { taskState: 'powering-off' },
      want: makeCondition({
        reason: 'TaskInProgress',
        message: 'task powering-off in progress',
        lastTransitionTime: NOW,
      }),
    },
    {
      what: 'keeps its time where only the reason changes',
      status: {
        vmState: 'active',
        taskState: 'powering-off',
        conditions: [makeCondition({ reason: 'TaskInProgress' })],
      },
      update: { vmState: 'stopped', taskState: null },
      want: makeCondition({ reason: 'Stopped' }),
    },
    {
      what: 'says why an instance is in error',
      status: { ...BOUND, conditions: [makeCondition()] },
      update: { vmState: 'error', taskState: null, fault },
      want: makeCondition({ reason: 'Error', message: 'no room' }),
    },
    {
      what: 'says why a delete stalls that goes on',
      status: {
        vmState: 'active',
        taskState: 'deleting',
        conditions: [makeCondition({ reason: 'TaskInProgress', message: 'task deleting in progress' })],
      },
      update: { vmState: 'error', fault },
      want: makeCondition({ reason: 'TaskInProgress', message: 'no room' }),
    },
    {
      what: 'names the task of a build that is in progress',
      status: { ...NEW_STATUS, conditions: [makeCondition({ message: 'task scheduling in progress' })] },
      update: { taskState: 'spawning' },
      want: makeCondition({ message: 'task spawning in progress' }),
    },
  ])('$what', ({ status, update, want }) => {
    expect(toStatusPatch(makeInstance({ status }), update, NOW)).toMatchObject({ conditions: [want] })
  })

  it('is not written where it stays as it is', () => {
    const conditions = [makeCondition({ message: 'task spawning in progress' })]
    const patch = toStatusPatch(makeInstance({ status: { ...BOUND, conditions } }), { addresses: [] }, NOW)
    expect(patch).not.toHaveProperty('conditions')
  })
})

describe('a fault', () => {
  const about = { requestId: REQUEST, now: NOW }

  it.each([
    {
      what: 'an error of ours',
      error: new FlavorNotFound({ flavor: 'm9' }),
      want: { code: 404, reason: 'FlavorNotFound', message: 'Flavor m9 could not be found.' },
    },
    {
      what: 'any other error',
      error: new TypeError('x'),
      want: { code: 500, reason: 'TypeError', message: 'x' },
    },
    { what: 'a thrown string', error: 'x', want: { code: 500, reason: 'Error', message: 'x' } },
  ])('of $what has its code, its class and its sentence', ({ error, want }) => {
    expect(toFault(error, about)).toEqual({ ...want, requestId: REQUEST, created: NOW })
  })

  it('names the host it happened on', () => {
    expect(toFault(new Error('x'), { ...about, host: 'node-1' })).toMatchObject({ host: 'node-1' })
  })

  it('holds no more than a status takes', () => {
    expect(toFault(new Error('x'.repeat(5000)), about).message).toHaveLength(4096)
  })
})
