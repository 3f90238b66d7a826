import { describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import {
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { makeInstance, NEW_STATUS } from '../testing/builders.ts'
import { checkExpected, type ExpectedState, hostsOf } from './expected-state.ts'

const NOW = '2026-11-22T06:20:11.123Z'
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
