import { beforeEach, expect, it } from 'vitest'
import { RandomIds } from '../common/ids.ts'
import { FakeClock } from '../testing/fake-clock.ts'
import { captureLog, type LogCapture } from '../testing/log-capture.ts'
import { MemoryKubeClient } from '../testing/memory-kube-client.ts'
import { unreachable } from './api-error.ts'
import type { Occurrence } from './event.ts'
import { EventRecorder } from './event-recorder.ts'

let client: MemoryKubeClient
let clock: FakeClock
let logs: LogCapture

beforeEach(() => {
  client = new MemoryKubeClient()
  clock = new FakeClock()
  logs = captureLog()
})

function makeRecorder(capacity = 100): EventRecorder {
  const deps = { client, clock, log: logs.log, ids: new RandomIds(), random: () => 1 }
  return new EventRecorder(deps, { component: 'nova-scheduler', instance: 'pod-1', capacity })
}

function makeOccurrence(fields: Partial<Occurrence> = {}): Occurrence {
  const metadata = { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '9' }
  const object = { apiVersion: 'compute.kilonova.dev/v1alpha1', kind: 'Instance', metadata }
  return { object, type: 'Normal', reason: 'Scheduled', message: 'Scheduled to node-1', ...fields }
}

it('creates an event that kubectl describe finds', async () => {
  const recorder = makeRecorder()
  recorder.record(makeOccurrence({ annotations: { 'kilonova.dev/request-id': 'req-1' } }))
  await recorder.flush()
  expect(client.all()).toEqual([
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        namespace: 'shop',
        name: expect.stringMatching(/^web\.[0-9a-f-]{36}$/),
        annotations: { 'kilonova.dev/request-id': 'req-1' },
        resourceVersion: '1',
      },
      involvedObject: {
        apiVersion: 'compute.kilonova.dev/v1alpha1',
        kind: 'Instance',
        namespace: 'shop',
        name: 'web',
        uid: 'u1',
        resourceVersion: '9',
      },
      type: 'Normal',
      reason: 'Scheduled',
      message: 'Scheduled to node-1',
      source: { component: 'nova-scheduler', host: 'pod-1' },
      reportingComponent: 'nova-scheduler',
      reportingInstance: 'pod-1',
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    },
  ])
})

it('puts events of cluster-wide objects into default', async () => {
  const recorder = makeRecorder()
  recorder.record(makeOccurrence({ object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } } }))
  await recorder.flush()
  expect(client.all()[0]?.metadata.namespace).toBe('default')
})

it('counts the same up within the window and tells of it anew after', async () => {
  const recorder = makeRecorder()
  for (let times = 0; times < 3; times++) {
    recorder.record(makeOccurrence())
    recorder.record(makeOccurrence({ message: 'another' }))
    await recorder.flush()
    await clock.advance(60_000)
  }
  expect(client.all()).toMatchObject([
    { count: 3, lastTimestamp: '2026-01-01T00:02:00Z' },
    { count: 3, message: 'another' },
  ])
  await clock.advance(600_000)
  recorder.record(makeOccurrence())
  await recorder.flush()
  expect(client.all()).toHaveLength(3)
})

it('makes an event anew that the server has forgotten', async () => {
  const recorder = makeRecorder()
  recorder.record(makeOccurrence())
  await recorder.flush()
  await client.close()
  recorder.record(makeOccurrence())
  await recorder.flush()
  expect(client.all()).toMatchObject([{ count: 2 }])
})

it('tells once of what was said many times while the server was away', async () => {
  const recorder = makeRecorder()
  client.failure = unreachable('POST', new Error('no'))
  for (let times = 0; times < 5; times++) recorder.record(makeOccurrence())
  await clock.advance(600)
  client.failure = undefined
  await clock.advance(10_000)
  await recorder.flush()
  expect(client.all()).toMatchObject([{ count: 5 }])
})

it('drops the oldest rather than grow, and warns once', async () => {
  const recorder = makeRecorder(10)
  client.isHanging = true
  for (let n = 0; n < 30; n++) recorder.record(makeOccurrence({ message: `n${n}` }))
  client.isHanging = false
  await recorder.flush()
  const told = client.all().map((event) => ('message' in event ? event.message : ''))
  // Four were on their way already.
  const latest = Array.from({ length: 10 }, (_, n) => `n${n + 20}`)
  expect(new Set(told)).toEqual(new Set(['n0', 'n1', 'n2', 'n3', ...latest]))
  expect(logs.at('WARNING')).toHaveLength(1)
})

it('gives up after some tries, and flush after its time', async () => {
  const recorder = makeRecorder()
  client.failure = unreachable('POST', new Error('no'))
  recorder.record(makeOccurrence())
  let isFlushed = false
  const flushed = recorder.flush(1_000).then(() => {
    isFlushed = true
  })
  await clock.advance(999)
  expect(isFlushed).toBe(false)
  await clock.advance(1)
  await flushed
  await clock.advance(60_000)
  await recorder.flush()
  expect(client.all()).toEqual([])
  expect(logs.at('WARNING')).toEqual([])
})
