import { describe, expect, it } from 'vitest'
import { KubernetesUnavailable } from '../common/errors.ts'
import { ApiError } from '../kube/api-error.ts'
import { afterFailure } from './after-failure.ts'
import { whileAvailable } from './unavailable.ts'

it.each([
  { task: 'scheduling', what: 'in error and idle', want: { vmState: 'error', taskState: null } },
  { task: 'spawning', what: 'in error and idle', want: { vmState: 'error', taskState: null } },
  { task: 'powering-off', what: 'in its vm_state and idle', want: { taskState: null } },
  { task: 'powering-on', what: 'in its vm_state and idle', want: { taskState: null } },
  { task: 'deleting', what: 'in error, with the delete still to be done', want: { vmState: 'error' } },
] as const)('a failed $task leaves an instance $what', ({ task, want }) => {
  expect(afterFailure(task)).toEqual(want)
})

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
