import { describe, expect, it } from 'vitest'
import { Redial } from './redial.ts'

const COSTLY = true

function pauses(tries: readonly boolean[], random = 0.5): number[] {
  const redial = new Redial(() => random)
  return tries.map((costly) => redial.pauseMs(costly))
}

describe('the pauses between tries to connect', () => {
  it('grow to a second while nobody is there', () => {
    expect(pauses(Array.from({ length: 7 }, () => !COSTLY))).toEqual([50, 100, 200, 400, 800, 1000, 1000])
  })

  it('begin longer, and grow longer, while the broker has work with us', () => {
    expect(pauses(Array.from({ length: 6 }, () => COSTLY))).toEqual([500, 1000, 2000, 4000, 5000, 5000])
  })

  it('follow the trouble of each try', () => {
    const tries = [!COSTLY, COSTLY, COSTLY, COSTLY, !COSTLY, COSTLY]
    expect(pauses(tries)).toEqual([50, 500, 1000, 2000, 1000, 2000])
  })

  it('are up to a quarter shorter or longer, so that not all come at once', () => {
    expect(pauses([COSTLY], 0)).toEqual([375])
    expect(pauses([COSTLY], 1)).toEqual([625])
  })
})
