import { describe, expect, it } from 'vitest'
import { makeInstance } from '../testing/builders.ts'
import { RecentInstances } from './recent-instances.ts'

describe('recent instances', () => {
  const one = makeInstance({ name: 'one', uid: '1' })
  const two = makeInstance({ name: 'two', uid: '2' })
  const three = makeInstance({ name: 'three', uid: '3' })

  it('are found by uid, as they were put in last', () => {
    const recent = new RecentInstances({ limit: 2 })
    const later = makeInstance({ name: 'one', uid: '1', status: { vmState: 'active' } })
    recent.put(one)
    recent.put(later)
    expect(recent.get('1')).toBe(later)
    expect(recent.get('2')).toBeUndefined()
  })

  it('make room for later ones', () => {
    const recent = new RecentInstances({ limit: 2 })
    for (const instance of [one, two, one, three]) recent.put(instance)
    expect([recent.get('1'), recent.get('2'), recent.get('3')]).toEqual([one, undefined, three])
  })

  it('are forgotten when told', () => {
    const recent = new RecentInstances({ limit: 2 })
    recent.put(one)
    recent.forget('1')
    expect(recent.get('1')).toBeUndefined()
  })
})
