import { expect, it } from 'vitest'
import { contains } from './contains.ts'

it.each([
  { there: { a: 1, b: 2 }, wanted: { a: 1 }, is: true },
  { there: { a: 1 }, wanted: { a: 1, b: 2 }, is: false },
  { there: { a: { b: [{ c: 1, d: 2 }] } }, wanted: { a: { b: [{ c: 1 }] } }, is: true },
  { there: { a: [1, 2] }, wanted: { a: [1] }, is: false },
  { there: { a: [1] }, wanted: { a: [2] }, is: false },
  { there: { a: '1' }, wanted: { a: 1 }, is: false },
  { there: undefined, wanted: {}, is: false },
  { there: null, wanted: null, is: true },
  { there: { a: {} }, wanted: { a: [] }, is: false },
])('$there has all of $wanted: $is', ({ there, wanted, is }) => {
  expect(contains(there, wanted)).toBe(is)
})
