import { describe, expect, it } from 'vitest'
import { FakeClock } from '../testing/fake-clock.ts'
import { waitUntil } from './wait-until.ts'

describe('waitUntil', () => {
  function makeWorld() {
    const clock = new FakeClock()
    const listeners = new Set<() => void>()
    const onChange = (listener: () => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
    let value: number | undefined
    return {
      clock,
      listeners,
      changes: { clock, onChange },
      look: () => value,
      set: (next: number) => {
        value = next
        for (const listener of listeners) listener()
      },
    }
  }

  it('answers at once when it is so already', async () => {
    const world = makeWorld()
    world.set(1)

    expect(await waitUntil(world.changes, world.look)).toBe(1)
  })

  it('answers after the change that makes it so, and leaves nothing behind', async () => {
    const world = makeWorld()
    const waiting = waitUntil(world.changes, world.look, { timeoutMs: 1000 })

    world.set(2)

    expect(await waiting).toBe(2)
    expect(world.listeners.size).toBe(0)
    expect(world.clock.timers).toBe(0)
  })

  it('answers undefined when the time is up', async () => {
    const world = makeWorld()
    const waiting = waitUntil(world.changes, world.look, { timeoutMs: 1000 })

    await world.clock.advance(1000)

    expect(await waiting).toBeUndefined()
    expect(world.listeners.size).toBe(0)
  })

  it('rejects with the reason of its signal', async () => {
    const world = makeWorld()
    const abort = new AbortController()
    const waiting = waitUntil(world.changes, world.look, { signal: abort.signal, timeoutMs: 1000 })

    abort.abort(new Error('given up'))

    await expect(waiting).rejects.toThrow('given up')
    expect(world.clock.timers).toBe(0)
  })

  it('rejects with what the look throws', async () => {
    const world = makeWorld()
    let isBroken = false
    const look = (): number | undefined => {
      if (isBroken) throw new Error('gone')
      return undefined
    }
    const waiting = waitUntil(world.changes, look)

    isBroken = true
    world.set(3)

    await expect(waiting).rejects.toThrow('gone')
  })
})
