import { describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { backoffMs } from './backoff.ts'
import { WorkQueue } from './work-queue.ts'

function makeQueue(random = () => 1): { queue: WorkQueue; clock: FakeClock } {
  const clock = new FakeClock()
  const backoff = { baseMs: 100, capMs: 1_000 }
  return { queue: new WorkQueue({ clock, random }, { backoff }), clock }
}

describe('WorkQueue', () => {
  it('hands keys out in order, each once', () => {
    const { queue } = makeQueue()
    for (const key of ['a', 'b', 'a']) queue.add(key)
    expect([queue.take(), queue.take(), queue.take()]).toEqual(['a', 'b', undefined])
  })

  it('holds back a key that is being worked on until that is done, however often it is added', () => {
    const { queue } = makeQueue()
    queue.add('a')
    queue.take()
    queue.add('a')
    queue.add('a')
    expect(queue.take()).toBeUndefined()
    queue.done('a')
    expect(queue.take()).toBe('a')
    queue.done('a')
    expect(queue.take()).toBeUndefined()
  })

  it('keeps the earliest of several delays', () => {
    const { queue, clock } = makeQueue()
    queue.addAfter('a', 500)
    queue.addAfter('a', 200)
    queue.addAfter('a', 900)
    clock.jump(199)
    expect(queue.take()).toBeUndefined()
    clock.jump(1)
    expect(queue.take()).toBe('a')
    queue.done('a')
    clock.jump(1_000)
    expect(queue.take()).toBeUndefined()
    expect(clock.timers).toBe(0)
  })

  it('waits longer after each failure up to the cap, for that key alone, until it is forgotten', () => {
    const { queue, clock } = makeQueue()
    const waits: number[] = []
    for (let failure = 0; failure < 6; failure++) {
      waits.push(queue.addRateLimited('a'))
      clock.jump(1_000)
      queue.take()
      queue.done('a')
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000])
    expect(queue.addRateLimited('b')).toBe(100)
    queue.forget('a')
    expect(queue.addRateLimited('a')).toBe(100)
  })

  it('spreads waits between half and all of it', () => {
    const options = { baseMs: 100, capMs: 1_000 }
    expect(backoffMs(options, 2, () => 0)).toBe(100)
    expect(backoffMs(options, 2, () => 0.999999)).toBe(200)
    expect(backoffMs(options, 10_000, () => 1)).toBe(1_000)
  })

  it('takes nothing any more once closed', () => {
    const { queue, clock } = makeQueue()
    queue.add('a')
    queue.addAfter('b', 10)
    queue.close()
    queue.add('c')
    clock.jump(100)
    expect(queue.take()).toBeUndefined()
    expect(clock.timers).toBe(0)
  })
})
