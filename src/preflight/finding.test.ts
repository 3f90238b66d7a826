import { expect, it } from 'vitest'
import { asJson, asText, type Finding } from './finding.ts'

const FINDINGS: readonly Finding[] = [
  { check: 'Kubernetes', outcome: 'ok', found: 'v1.36.2' },
  { check: 'nodes', outcome: 'missing', found: 'none of 3', remedy: 'see virt-handler' },
]

it('findings are lines with columns', () => {
  expect(asText(FINDINGS)).toBe(
    ['ok       Kubernetes  v1.36.2', 'missing  nodes       none of 3; see virt-handler', ''].join('\n'),
  )
})

it('findings are JSON that says whether all is well', () => {
  expect(JSON.parse(asJson(FINDINGS))).toEqual({ ok: false, checks: FINDINGS })
  expect(JSON.parse(asJson(FINDINGS.slice(0, 1)))).toMatchObject({ ok: true })
})
