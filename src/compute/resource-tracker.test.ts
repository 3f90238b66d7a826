import { beforeEach, describe, expect, it } from 'vitest'
import { ComputeResourcesUnavailable } from '../common/errors/scheduling.ts'
import { ResourceTracker } from './resource-tracker.ts'

const SMALL = { name: 'm1.small', vcpus: 1, memoryMb: 2048, diskGb: 20 }
const LIMITS = { vcpus: 2, memoryMb: 4096, diskGb: 40 }

let tracker: ResourceTracker

beforeEach(() => {
  tracker = new ResourceTracker({ host: 'node-1' })
})

describe('a claim', () => {
  it('is taken up to the last of what the host can take', () => {
    tracker.claim('a', SMALL, LIMITS)
    tracker.claim('b', SMALL, LIMITS)
    expect(tracker.usage()).toEqual(LIMITS)
    expect([tracker.holds('a'), tracker.holds('c')]).toEqual([true, false])
  })

  it.each([
    { kind: 'vcpus', flavor: { ...SMALL, vcpus: 2 }, reason: 'vcpus: 2 asked, 1 of 2 free' },
    {
      kind: 'memoryMb',
      flavor: { ...SMALL, memoryMb: 2049 },
      reason: 'memoryMb: 2049 asked, 2048 of 4096 free',
    },
    { kind: 'diskGb', flavor: { ...SMALL, diskGb: 21 }, reason: 'diskGb: 21 asked, 20 of 40 free' },
  ])('of too much $kind is refused and not kept', ({ flavor, reason }) => {
    tracker.claim('a', SMALL, LIMITS)
    expect(() => tracker.claim('b', flavor, LIMITS)).toThrow(
      new ComputeResourcesUnavailable({ host: 'node-1', reason }),
    )
    expect(tracker.holds('b')).toBe(false)
  })

  it('made twice counts once, also where the host is full', () => {
    tracker.claim('a', SMALL, LIMITS)
    tracker.claim('b', SMALL, LIMITS)
    tracker.claim('b', SMALL, LIMITS)
    expect(tracker.usage()).toEqual(LIMITS)
  })

  it('that was there before the agent counts even where it is too much, and leaves nothing free', () => {
    tracker.adopt('a', { ...SMALL, vcpus: 9 })
    tracker.adopt('a', { ...SMALL, vcpus: 9 })
    expect(tracker.usage().vcpus).toBe(9)
    expect(() => tracker.claim('b', SMALL, LIMITS)).toThrow('vcpus: 1 asked, 0 of 2 free')
  })

  it('that is given back is free for others', () => {
    tracker.claim('a', { ...SMALL, vcpus: 2 }, LIMITS)
    tracker.release('a')
    tracker.release('a')
    tracker.claim('b', { ...SMALL, vcpus: 2 }, LIMITS)
    expect(tracker.usage().vcpus).toBe(2)
  })
})
