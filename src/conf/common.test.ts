import { expect, it } from 'vitest'
import { kubeconfigOfUser } from './common.ts'

it.each([
  { named: '/a', env: { KUBECONFIG: '/b' }, want: '/a' },
  { named: undefined, env: { KUBECONFIG: '/b' }, want: '/b' },
  { named: undefined, env: { KUBECONFIG: ':/b:/c' }, want: '/b' },
  { named: undefined, env: { KUBECONFIG: '' }, want: undefined },
  { named: undefined, env: {}, want: undefined },
])('of --kubeconfig $named and $env.KUBECONFIG, $want is read', ({ named, env, want }) => {
  expect(kubeconfigOfUser(named, env)).toBe(want)
})
