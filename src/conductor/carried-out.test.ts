import { describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { refOfInstance } from '../objects/build-request.ts'
import type { ExpectedState } from '../objects/expected-state.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { makeInstance } from '../testing/builders.ts'
import { isCarriedOut } from './carried-out.ts'

const REQUEST = 'req-1'
const NOW = '2026-01-01T00:00:00.000Z'
const migration = {
  type: 'resize',
  status: 'running',
  oldVmState: 'active',
  sourceHost: 'node-1',
  destHost: 'node-2',
} as const

interface Case {
  readonly what: string
  readonly status: InstanceStatus
  readonly update: InstanceUpdate
  readonly expected?: ExpectedState
  /** node-1 where nothing is said. */
  readonly host?: string
}

function isDone({ status, update, expected = {}, host = 'node-1' }: Case): boolean {
  const instance = makeInstance({ status })
  const args = { instance: refOfInstance(instance), update, expected }
  return isCarriedOut(instance, args, { host, requestId: REQUEST })
}

const STOPPED = { vmState: 'stopped', host: 'node-1', requestId: REQUEST } as const
const GIVEN_BACK = { vmState: 'building', taskState: 'scheduling', requestId: REQUEST } as const

describe('an update that an agent asks for again', () => {
  it.each<Case>([
    {
      what: 'ended its operation',
      status: STOPPED,
      update: { vmState: 'stopped', taskState: null },
    },
    {
      what: 'handed the instance over, by an agent it comes from',
      status: {
        vmState: 'active',
        taskState: 'resize_migrated',
        host: 'node-2',
        requestId: REQUEST,
        migration,
      },
      update: { taskState: 'resize_migrated', host: 'node-2' },
    },
    {
      what: 'said that its host is ready, by an agent it goes to',
      status: {
        vmState: 'active',
        taskState: 'resize_migrating',
        host: 'node-1',
        requestId: REQUEST,
        migration,
      },
      update: { taskState: 'resize_migrating', migration: { status: 'running' } },
      host: 'node-2',
    },
    {
      what: 'gave it to where it has moved, which ended the migration',
      status: { vmState: 'active', host: 'node-2', requestId: REQUEST },
      update: { taskState: null, host: 'node-2', migration: null },
    },
    {
      what: 'let it go from its host',
      status: { vmState: 'shelved_offloaded', requestId: REQUEST },
      update: { vmState: 'shelved_offloaded', taskState: null, host: null },
    },
    {
      what: 'gave it back to be built elsewhere',
      status: { ...GIVEN_BACK, attempt: 1, triedHosts: ['node-1'] },
      update: { taskState: 'scheduling', host: null },
      expected: { attempt: 1 },
    },
    {
      what: 'launched it then, whatever came since',
      status: { vmState: 'stopped', host: 'node-1', requestId: 'req-9', launchedAt: NOW },
      update: { vmState: 'active', launchedAt: NOW },
    },
  ])('is there already when it $what', (one) => {
    expect(isDone(one)).toBe(true)
  })

  it.each<Case>([
    {
      what: 'another operation has come since',
      status: { ...STOPPED, requestId: 'req-2' },
      update: { vmState: 'stopped', taskState: null },
    },
    {
      what: 'its operation is still in flight',
      status: { ...STOPPED, vmState: 'active', taskState: 'powering-off' },
      update: { vmState: 'stopped', taskState: null },
    },
    {
      what: 'it ended in another state',
      status: { ...STOPPED, vmState: 'error' },
      update: { vmState: 'stopped', taskState: null },
    },
    {
      what: 'the instance is another host’s',
      status: { ...STOPPED, host: 'node-2' },
      update: { vmState: 'stopped', taskState: null },
    },
    {
      what: 'it went on to the next step',
      status: { vmState: 'resized', host: 'node-2', requestId: REQUEST, migration },
      update: { taskState: 'resize_migrated', host: 'node-2' },
    },
    {
      what: 'another agent gave it back',
      status: { ...GIVEN_BACK, attempt: 1, triedHosts: ['node-2'] },
      update: { taskState: 'scheduling', host: null },
    },
    {
      what: 'it is another attempt’s',
      status: { vmState: 'building', taskState: 'spawning', host: 'node-1', attempt: 2, requestId: REQUEST },
      update: { taskState: 'spawning' },
      expected: { attempt: 1 },
    },
    {
      what: 'it was launched by another try',
      status: { vmState: 'active', host: 'node-1', requestId: REQUEST, launchedAt: NOW },
      update: { vmState: 'active', launchedAt: '2026-01-01T00:00:01.000Z' },
    },
    {
      what: 'it is to go to a host where it is not',
      status: { ...STOPPED, vmState: 'active' },
      update: { taskState: null, host: 'node-2' },
    },
  ])('is not there when $what', (one) => {
    expect(isDone(one)).toBe(false)
  })
})
