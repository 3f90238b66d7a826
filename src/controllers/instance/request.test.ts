import { describe, expect, it } from 'vitest'
import { requestIdOf } from '../../common/ids.ts'
import { makeInstance, NEW_STATUS, UID } from '../../testing/builders.ts'
import { requestInFlight, requestOf } from './request.ts'

describe('the request of an instance', () => {
  it('is that of its uid and generation, in the project of its namespace', () => {
    expect(requestOf(makeInstance({ namespace: 'blue', generation: 3 }))).toEqual({
      requestId: requestIdOf(UID, 3),
      user: '-',
      project: 'blue',
      instanceUid: UID,
    })
  })

  it('in flight is the one the operation began under, whatever the spec is by now', () => {
    const instance = makeInstance({
      generation: 7,
      status: { taskState: 'powering-off', requestId: 'req-5' },
    })
    expect(requestInFlight(instance)).toEqual({ ...requestOf(instance), requestId: 'req-5' })
  })

  it('in flight of an instance that has no host yet is that of its creation, also when its spec has changed since', () => {
    const instance = makeInstance({ generation: 2, status: NEW_STATUS })
    expect(requestInFlight(instance).requestId).toBe(requestIdOf(UID, 1))
  })
})
