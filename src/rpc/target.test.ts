import { describe, expect, it } from 'vitest'
import { consumerOf, subjectOf } from './target.ts'
import { isCompatible } from './version.ts'

describe('a target', () => {
  it.each([
    { target: { topic: 'scheduler' }, subject: 'scheduler', consumer: 'scheduler' },
    {
      target: { topic: 'compute', host: 'node-1.example.com' },
      subject: 'compute.node-1_example_com',
      consumer: 'compute-node-1_example_com',
    },
  ])(
    '$target.topic $target.host has a subject and a consumer of its own',
    ({ target, subject, consumer }) => {
      expect(subjectOf(target)).toBe(subject)
      expect(consumerOf(target)).toBe(consumer)
    },
  )

  it.each([
    { topic: 'compute.>' },
    { topic: '*' },
    { topic: '_health' },
    { topic: '' },
    { topic: 'compute', host: '' },
    { topic: 'compute', host: 'a_b' },
    { topic: 'compute', host: 'a b' },
    { topic: 'compute', host: '>' },
  ])('of $topic $host is refused', (target) => {
    expect(() => subjectOf(target)).toThrow(TypeError)
  })
})

describe('a version', () => {
  it.each([
    { served: '1.2', requested: '1.2', want: true },
    { served: '1.2', requested: '1.0', want: true },
    { served: '1.10', requested: '1.9', want: true },
    { served: '1.2', requested: '1.3', want: false },
    { served: '2.0', requested: '1.0', want: false },
    { served: '1.2', requested: '2.0', want: false },
  ])('$requested by a server of $served: $want', ({ served, requested, want }) => {
    expect(isCompatible(served, requested)).toBe(want)
  })
})
