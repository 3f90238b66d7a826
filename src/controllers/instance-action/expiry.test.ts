import { beforeEach, describe, expect, it } from 'vitest'
import { INSTANCE_ACTION, type InstanceAction } from '../../apis/v1alpha1/instance-action.ts'
import { ApiError } from '../../kube/api-error.ts'
import { FakeClock } from '../../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../../testing/log-capture.ts'
import { MemoryKubeClient } from '../../testing/memory-kube-client.ts'
import { ToldInformer } from '../../testing/told-informer.ts'
import { ActionExpiry } from './expiry.ts'

const KEEP_MS = 60_000

let clock: FakeClock
let client: MemoryKubeClient
let actions: ToldInformer<InstanceAction>
let logs: LogCapture
let expiry: ActionExpiry

beforeEach(() => {
  clock = new FakeClock()
  client = new MemoryKubeClient()
  actions = new ToldInformer(INSTANCE_ACTION)
  logs = captureLog()
  expiry = new ActionExpiry(
    { client, actions: actions.informer, clock, log: logs.log },
    { keepFinishedMs: KEEP_MS },
  )
})

/** A record on the server and in the informer; finished that long ago, or not at all. */
async function put(name: string, finishedAgoMs?: number): Promise<InstanceAction> {
  const finishTime =
    finishedAgoMs === undefined ? undefined : new Date(clock.now() - finishedAgoMs).toISOString()
  const record: InstanceAction = {
    apiVersion: 'compute.kilonova.dev/v1alpha1',
    kind: 'InstanceAction',
    metadata: { namespace: 'default', name, uid: name },
    spec: {
      action: 'stop',
      instance: 'web',
      instanceUid: 'uid',
      requestId: 'req-1',
      user: '-',
      startTime: '2026-01-01T00:00:00Z',
    },
    ...(finishTime && { status: { result: 'Success', finishTime } }),
  }
  if (!client.all().some(({ metadata }) => metadata.name === name))
    await client.create(INSTANCE_ACTION, record)
  actions.tell(record)
  return record
}

const left = (): string[] => client.all().map(({ metadata }) => metadata.name)

describe('the record of an operation', () => {
  it('is kept for its time after the operation finished, and then removed', async () => {
    await put('old', KEEP_MS)
    await put('young', KEEP_MS - 10_000)
    expiry.start()
    await clock.advance(0)
    expect(left()).toEqual(['young'])
    await clock.advance(9_999)
    expect(left()).toEqual(['young'])
    await clock.advance(1)
    expect(left()).toEqual([])
  })

  it('is kept while the operation is not finished, and counts from when it is', async () => {
    expiry.start()
    await put('running')
    await clock.advance(KEEP_MS * 10)
    await put('running', 0)
    await clock.advance(KEEP_MS - 1)
    expect(left()).toEqual(['running'])
    await clock.advance(1)
    expect(left()).toEqual([])
  })

  it('that finished again, after a failure that passed, is kept from then on', async () => {
    expiry.start()
    await put('again', 0)
    await clock.advance(KEEP_MS - 1)
    await put('again', 0)
    await clock.advance(KEEP_MS - 1)
    expect(left()).toEqual(['again'])
  })

  it('that somebody else removed is no concern', async () => {
    const record = await put('gone', 0)
    expiry.start()
    await client.delete(INSTANCE_ACTION, record.metadata)
    await clock.advance(KEEP_MS)
    expect(logs.at('WARNING')).toEqual([])
  })

  it('that cannot be removed now is removed later', async () => {
    await put('old', KEEP_MS)
    client.failure = new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'sorry' })
    expiry.start()
    await clock.advance(0)
    client.failure = undefined
    await clock.advance(10_000)
    expect(left()).toEqual([])
  })

  it('is left to the next leader once this one stopped', async () => {
    await put('old', 0)
    expiry.start()
    await clock.advance(0)
    await expiry.stop()
    await clock.advance(KEEP_MS)
    expect(left()).toEqual(['old'])
    expect(clock.timers).toBe(0)
  })
})
