import { expect, it } from 'vitest'
import { parseArguments } from './arguments.ts'

it('without words makes a cluster and removes it', () => {
  expect(parseArguments([])).toEqual({
    arguments: { keep: false, reuse: false, emulate: false, only: undefined },
  })
})

it('understands each flag', () => {
  expect(parseArguments(['--keep', '--only', 'a node is drained', '--reuse', '--emulate'])).toEqual({
    arguments: { keep: true, reuse: true, emulate: true, only: 'a node is drained' },
  })
})

it.each([
  { words: ['--kepp'], problem: 'unknown argument: --kepp' },
  { words: ['drain'], problem: 'unknown argument: drain' },
  { words: ['--only'], problem: '--only needs a pattern' },
  { words: ['--only', '--keep'], problem: '--only needs a pattern' },
  { words: ['--keep', '--help', '--what'], problem: '' },
])('refuses $words', ({ words, problem }) => {
  expect(parseArguments(words)).toEqual({ problem })
})
