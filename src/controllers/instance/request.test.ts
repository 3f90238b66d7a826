import { describe, expect, it } from 'vitest'
import { requestIdOf } from '../../common/ids.ts'
import { makeInstance, NEW_STATUS, UID } from '../../testing/builders.ts'
import { REQUESTED_BY_ANNOTATION, RequestContexts } from './request.ts'

const TRUSTING = new RequestContexts({ trustsRequester: true })
const DOUBTING = new RequestContexts({ trustsRequester: false })
const annotations = { [REQUESTED_BY_ANNOTATION]: 'alice' }

describe('the request of an instance', () => {
  it('is that of its uid and generation, in the project of its namespace', () => {
    expect(DOUBTING.of(makeInstance({ namespace: 'blue', generation: 3 }))).toEqual({
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
    expect(DOUBTING.inFlight(instance)).toEqual({ ...DOUBTING.of(instance), requestId: 'req-5' })
  })

  it('in flight of an instance that has no host yet is that of its creation, also when its spec has changed since', () => {
    const instance = makeInstance({ generation: 2, status: NEW_STATUS })
    expect(DOUBTING.inFlight(instance).requestId).toBe(requestIdOf(UID, 1))
  })
})

describe('who asked', () => {
  it.each([
    { name: 'is the user that was stamped', contexts: TRUSTING, instance: { annotations }, of: 'alice' },
    { name: 'is not known where nothing was stamped', contexts: TRUSTING, instance: {}, of: '-' },
    {
      name: 'is not known where the stamp is empty',
      contexts: TRUSTING,
      instance: { annotations: { [REQUESTED_BY_ANNOTATION]: '' } },
      of: '-',
    },
    {
      name: 'is not believed where the cluster does not stamp',
      contexts: DOUBTING,
      instance: { annotations },
      of: '-',
    },
    {
      name: 'is not known of a delete: the stamp is of the change before',
      contexts: TRUSTING,
      instance: { annotations, deletionTimestamp: '2026-01-01T00:00:00Z' },
      of: '-',
    },
    {
      name: 'is no longer than a record takes',
      contexts: TRUSTING,
      instance: { annotations: { [REQUESTED_BY_ANNOTATION]: 'a'.repeat(2000) } },
      of: 'a'.repeat(1024),
    },
  ])('$name', ({ contexts, instance, of }) => {
    expect(contexts.of(makeInstance(instance)).user).toBe(of)
  })

  it('is known of the operation in flight as long as the spec is what it began from', () => {
    const status = { taskState: 'powering-off', requestId: requestIdOf(UID, 2) } as const
    expect(TRUSTING.inFlight(makeInstance({ annotations, generation: 2, status })).user).toBe('alice')
    expect(TRUSTING.inFlight(makeInstance({ annotations, generation: 3, status })).user).toBe('-')
  })
})
