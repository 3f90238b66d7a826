import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SystemClock, toTimestamp } from './clock.ts'

describe('the machine’s clock', () => {
  const clock = new SystemClock()

  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('calls once after the time', async () => {
    let calls = 0
    clock.after(100, () => calls++)
    await vi.advanceTimersByTimeAsync(99)
    expect(calls).toBe(0)
    await vi.advanceTimersByTimeAsync(1000)
    expect(calls).toBe(1)
  })

  it('calls after 30 days, and not at once as setTimeout would', async () => {
    const days = 24 * 3600 * 1000
    let calls = 0
    clock.after(30 * days, () => calls++)
    await vi.advanceTimersByTimeAsync(30 * days - 1)
    expect(calls).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls).toBe(1)
  })

  it.each([100, 30 * 24 * 3600 * 1000])('does not call what was cancelled (after %d ms)', async (ms) => {
    let calls = 0
    const timer = clock.after(ms, () => calls++)
    await vi.advanceTimersByTimeAsync(ms - 1)
    timer.cancel()
    timer.cancel()
    await vi.advanceTimersByTimeAsync(ms)
    expect(calls).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('calls every so often until it is cancelled', async () => {
    let calls = 0
    const timer = clock.every(10, () => calls++)
    await vi.advanceTimersByTimeAsync(35)
    timer.cancel()
    await vi.advanceTimersByTimeAsync(100)
    expect(calls).toBe(3)
  })

  it('sleeps until the time is over', async () => {
    const sleeping = clock.sleep(100)
    await vi.advanceTimersByTimeAsync(100)
    await expect(sleeping).resolves.toBeUndefined()
  })

  it('wakes with the reason of its signal, leaving no timer', async () => {
    const abort = new AbortController()
    const sleeping = clock.sleep(100, abort.signal)
    abort.abort(new Error('stopped'))
    await expect(sleeping).rejects.toThrow('stopped')
    await expect(clock.sleep(100, abort.signal)).rejects.toThrow('stopped')
    expect(vi.getTimerCount()).toBe(0)
  })
})

it('a time is written to the millisecond, in UTC', () => {
  expect(toTimestamp(Date.UTC(2026, 10, 22, 6, 20, 11, 123))).toBe('2026-11-22T06:20:11.123Z')
})
