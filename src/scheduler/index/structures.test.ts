import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TournamentTree } from './tournament-tree.ts'
import { ValueCounts } from './value-counts.ts'

const value = fc.integer({ min: -5, max: 5 })

describe('a tournament tree', () => {
  it('knows the highest after any changes, and visits what is at least a threshold', () => {
    const change = fc.record({
      position: fc.nat(60),
      value: fc.oneof(value, fc.constant(Number.NEGATIVE_INFINITY)),
    })
    fc.assert(
      fc.property(fc.array(change), value, (changes, threshold) => {
        const tree = new TournamentTree()
        const plain = new Map<number, number>()
        for (const one of changes) {
          tree.set(one.position, one.value)
          plain.set(one.position, one.value)
        }
        expect(tree.max).toBe(Math.max(Number.NEGATIVE_INFINITY, ...plain.values()))
        const visited: number[] = []
        tree.visitFrom(
          () => threshold,
          (position) => visited.push(position) > 0,
        )
        const wanted = [...plain].filter(([, one]) => one >= threshold).map(([position]) => position)
        expect(visited.toSorted((a, b) => a - b)).toEqual(wanted.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('counted values', () => {
  it('know the highest of those that are left', () => {
    const change = fc.record({ add: fc.boolean(), value })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const counts = new ValueCounts()
        const plain: number[] = []
        for (const { add, value: one } of changes) {
          const at = plain.indexOf(one)
          if (add || at === -1) {
            counts.add(one)
            plain.push(one)
          } else {
            counts.delete(one)
            plain.splice(at, 1)
          }
          expect(counts.max).toBe(Math.max(Number.NEGATIVE_INFINITY, ...plain))
        }
      }),
    )
  })
})
