import { beforeEach, describe, expect, it } from 'vitest'
import { GroupAffinityViolation } from '../common/errors/scheduling.ts'
import { LateGroupCheck } from './late-group-check.ts'
import { ResourceTracker } from './resource-tracker.ts'

const FLAVOR = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const WEB = { group: 'shop/web', most: 1 }
let tracker: ResourceTracker
let groups: LateGroupCheck

beforeEach(() => {
  tracker = new ResourceTracker({ host: 'node-1' })
  groups = new LateGroupCheck({ tracker }, { host: 'node-1' })
})

function claim(uid: string, limit: typeof WEB | undefined): void {
  groups.check(uid, limit)
  tracker.adopt(uid, FLAVOR)
}

describe('the last test of a group’s policy', () => {
  it('refuses one member too many, in words', () => {
    claim('a', WEB)
    expect(() => claim('b', WEB)).toThrow(GroupAffinityViolation)
    expect(() => claim('b', WEB)).toThrow(
      'Anti-affinity server group policy was violated: node-1 has 1 of the group shop/web, and may have 1.',
    )
  })

  it('lets as many through as there may be, and those of other groups and of none', () => {
    claim('a', { ...WEB, most: 2 })
    claim('b', { ...WEB, most: 2 })
    claim('c', { group: 'other/web', most: 1 })
    claim('d', undefined)
    expect(() => claim('e', { ...WEB, most: 2 })).toThrow(GroupAffinityViolation)
  })

  it('does not hold an instance against itself: a message may come twice', () => {
    claim('a', WEB)
    expect(() => claim('a', WEB)).not.toThrow()
  })

  it('forgets members that gave their claim back', () => {
    claim('a', WEB)
    tracker.release('a')
    expect(() => claim('b', WEB)).not.toThrow()
  })

  it('knows members that were here before the agent started', () => {
    tracker.adopt('a', FLAVOR)
    groups.learn('a', 'shop/web')
    groups.learn('b', undefined)
    expect(() => claim('c', WEB)).toThrow(GroupAffinityViolation)
  })
})
