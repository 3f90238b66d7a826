import { expect, it } from 'vitest'
import { messageOf } from './message-of.ts'

it.each([
  { thrown: new Error('no'), want: 'no' },
  { thrown: 'no', want: 'no' },
  { thrown: undefined, want: 'undefined' },
])('a thrown $thrown says $want', ({ thrown, want }) => {
  expect(messageOf(thrown)).toBe(want)
})
