import { expect, it } from 'vitest'
import { matcherOf } from './selector.ts'

const object = {
  apiVersion: 'v1',
  kind: 'Note',
  metadata: { name: 'web', namespace: 'ns', labels: { app: 'x', tier: 'b', empty: '' } },
  status: { host: 'node-1' },
}

it.each([
  ['', true],
  ['app=x', true],
  ['app==x,tier!=a', true],
  ['app!=x', false],
  ['none!=x', true],
  ['tier in (a, b)', true],
  ['tier in (a)', false],
  ['tier notin (a),app', true],
  ['none notin (a)', true],
  ['none in ()', false],
  ['!app', false],
  ['!none,empty', true],
  ['empty=', true],
])('labels %s: %s', (labelSelector, want) => {
  expect(matcherOf({ labelSelector })(object)).toBe(want)
})

it.each([
  ['metadata.name=web', true],
  ['metadata.name!=web', false],
  ['.status.host=node-1,metadata.namespace=ns', true],
  ['status.none=', true],
  ['status.host=node-2', false],
])('fields %s: %s', (fieldSelector, want) => {
  expect(matcherOf({ fieldSelector })(object)).toBe(want)
})

it('knows its namespace', () => {
  expect([matcherOf({ namespace: 'ns' })(object), matcherOf({ namespace: 'other' })(object)]).toEqual([
    true,
    false,
  ])
})
