import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { compareVersions, parseVersion } from '../setup/version.ts'
import { E2E } from './settings.ts'

const config = z.strictObject({
  kind: z.literal('Cluster'),
  apiVersion: z.literal('kind.x-k8s.io/v1alpha4'),
  name: z.string(),
  nodes: z.array(z.strictObject({ role: z.enum(['control-plane', 'worker']), image: z.string() })),
})

const { name, nodes } = config.parse(parse(readFileSync(E2E.kindConfig, 'utf8')))

it('is of the cluster that the run makes', () => {
  expect(name).toBe(E2E.cluster)
})

it('has a worker for each of the three NATS servers', () => {
  expect(nodes.map(({ role }) => role)).toEqual(['control-plane', 'worker', 'worker', 'worker'])
})

it('has one image, by digest, of a Kubernetes that the chart takes', () => {
  const [image = '', ...others] = new Set(nodes.map((node) => node.image))
  expect(others).toEqual([])
  expect(image).toMatch(/^kindest\/node:v\d+\.\d+\.\d+@sha256:[0-9a-f]{64}$/)
  const chart: unknown = parse(readFileSync(join(E2E.chart, 'Chart.yaml'), 'utf8'))
  const { kubeVersion } = z.object({ kubeVersion: z.string() }).parse(chart)
  const versions = [image, kubeVersion].map((text) => parseVersion(text) ?? '')
  expect(compareVersions(versions[0] ?? '', versions[1] ?? '')).toBeGreaterThanOrEqual(0)
})
