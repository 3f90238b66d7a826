import { expect, it } from 'vitest'
import { KubernetesUnavailable } from './unavailable.ts'

it('an error keeps its cause', () => {
  const cause = new Error('socket hang up')
  expect(new KubernetesUnavailable({ reason: 'x' }, { cause }).cause).toBe(cause)
})
