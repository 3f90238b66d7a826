import { expect, it } from 'vitest'
import { EventExpiry } from './event-expiry.ts'
import { Store } from './store.ts'

it('removes the events that were last written longer ago than their time to live', () => {
  const store = new Store({ firstResourceVersion: 1, historySize: 10 })
  const events = store.collection('/events')
  const put = (name: string, lastTimestamp: string): void => {
    store.put(events, { metadata: { name, namespace: 'default', uid: name }, lastTimestamp })
  }
  put('old', '2026-01-01T00:00:00Z')
  put('fresh', '2026-01-01T00:30:00Z')
  const clock = { now: () => Date.parse('2026-01-01T01:00:01Z') }

  new EventExpiry({ store, clock }, { ttlMs: 3_600_000 }).sweep()

  expect(events.list('').map((stored) => stored.name)).toEqual(['fresh'])
})
