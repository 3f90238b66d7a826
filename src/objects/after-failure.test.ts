import { describe, expect, it } from 'vitest'
import { TASK_STATES, type TaskState, type VmState } from '../apis/v1alpha1/states.ts'
import { NotSupported } from '../common/errors/guest.ts'
import { ComputeServiceInUse } from '../common/errors/host.ts'
import { ComputeResourcesUnavailable } from '../common/errors/scheduling.ts'
import { KubernetesUnavailable } from '../common/errors/unavailable.ts'
import { ApiError } from '../kube/api-error.ts'
import { afterFailure } from './after-failure.ts'
import { whileAvailable } from './unavailable.ts'

/** The vm_state that each task leaves when it fails for good, as Nova's decorators do: null where it stays. */
const LEAVES: Readonly<Record<TaskState, VmState | null>> = {
  scheduling: 'error',
  spawning: 'error',
  'powering-off': null,
  'powering-on': null,
  pausing: null,
  unpausing: null,
  suspending: 'error',
  resuming: 'error',
  rebooting: null,
  rebooting_hard: 'error',
  rescuing: 'error',
  unrescuing: 'error',
  rebuilding: 'error',
  resize_prep: null,
  resize_migrating: 'error',
  resize_migrated: 'error',
  resize_confirming: 'error',
  resize_reverting: 'error',
  migrating: null,
  shelving: null,
  shelving_offloading: null,
  unshelving: null,
  image_snapshot: null,
  'soft-deleting': null,
  restoring: null,
  deleting: 'error',
}

describe.each(TASK_STATES)('a failed %s', (taskState) => {
  const leaves = LEAVES[taskState]

  it(`leaves an instance ${leaves ? `in ${leaves}` : 'in its vm_state'}, idle and going nowhere`, () => {
    const after = afterFailure({ taskState, vmState: 'active' }, new Error('no'))
    if (taskState === 'deleting') return expect(after).toEqual({ vmState: 'error' })
    expect(after).toEqual({ taskState: null, migration: null, ...(leaves && { vmState: leaves }) })
  })

  it.each([
    {
      what: 'the hypervisor cannot do it at all',
      error: new NotSupported({ operation: 'it', reason: 'there is no such thing' }),
    },
    {
      what: 'the host it was to go to has no room',
      error: new ComputeResourcesUnavailable({ host: 'node-2', reason: 'full' }),
    },
    {
      what: 'the host it was to be evacuated from is up again',
      error: new ComputeServiceInUse({ host: 'node-1' }),
    },
  ])('changes no vm_state where $what', ({ error }) => {
    if (taskState === 'deleting') return
    expect(afterFailure({ taskState, vmState: 'active' }, error)).toEqual({
      taskState: null,
      migration: null,
    })
  })
})

it('a failed delete stays under way: something may be left to remove', () => {
  expect(afterFailure({ taskState: 'deleting', vmState: 'active' })).not.toHaveProperty('taskState')
})

it.each([
  {
    vmState: 'shelved_offloaded',
    want: { taskState: null, migration: null, host: null, availabilityZone: null },
  },
  { vmState: 'shelved', want: { taskState: null, migration: null } },
] as const)(
  'a failed unshelve of one that is $vmState leaves it the host it had before',
  ({ vmState, want }) => {
    expect(afterFailure({ taskState: 'unshelving', vmState }, new Error('no'))).toEqual(want)
  },
)

describe('work on the Kubernetes API', () => {
  const failed = (code: number): ApiError => new ApiError({ code, reason: 'x', message: 'sorry' })

  it.each([0, 429, 500, 503])('that answers %d may be tried again, wherever its caller is', async (code) => {
    const cause = failed(code)
    const work = whileAvailable(() => Promise.reject(cause))
    await expect(work).rejects.toThrow(new KubernetesUnavailable({ reason: 'sorry' }, { cause }))
    await expect(work).rejects.toMatchObject({ outcome: 'retry', cause })
  })

  it.each([404, 409, 422])('that answers %d fails as it did', async (code) => {
    const cause = failed(code)
    await expect(whileAvailable(() => Promise.reject(cause))).rejects.toBe(cause)
  })

  it('gives its result', async () => {
    expect(await whileAvailable(async () => 'done')).toBe('done')
  })
})
