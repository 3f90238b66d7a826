import { expect, it } from 'vitest'
import { goVersion, stagingModules, throwawayGoMod } from './go-mod.ts'

const PUBLISHED = `// This is a generated file.
module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/api v0.0.0
	k8s.io/kube-openapi v0.0.0-20260317180543-43fb72c5454a
	k8s.io/utils v0.0.0-20260210185600-b8788abfbbc2
)

replace (
	k8s.io/client-go => ./staging/src/k8s.io/client-go
	k8s.io/api => ./staging/src/k8s.io/api
	example.com/fork => example.com/other v1.2.3
)

replace k8s.io/kubelet v0.0.0 => ./staging/src/k8s.io/kubelet
`

const SOURCE = { module: 'k8s.io/kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', ldflags: [] }

it('finds only what is replaced by a staging folder', () => {
  expect(stagingModules(PUBLISHED)).toEqual(['k8s.io/api', 'k8s.io/client-go', 'k8s.io/kubelet'])
})

it('reads the oldest Go that will do', () => {
  expect(goVersion(PUBLISHED)).toBe('1.26.0')
  expect(() => goVersion('module x\n')).toThrow('no "go" line')
})

it('pins the module and its staging modules, and leaves the others as they are required', () => {
  expect(throwawayGoMod({ ...SOURCE, stagingVersion: 'v0.36.3' }, '1.36.3', PUBLISHED)).toBe(
    `module kilonova.local/build

go 1.26.0

require k8s.io/kubernetes v1.36.3

replace k8s.io/api => k8s.io/api v0.36.3
replace k8s.io/client-go => k8s.io/client-go v0.36.3
replace k8s.io/kubelet => k8s.io/kubelet v0.36.3
`,
  )
})

it('refuses staging modules without a pinned version', () => {
  expect(() => throwawayGoMod(SOURCE, '1.36.3', PUBLISHED)).toThrow('no version of them is pinned')
})
