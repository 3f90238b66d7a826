import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { program } from './parts/programs.ts'

const CHART = join(import.meta.dirname, '../../charts/kilonova')

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})
export type Manifest = z.infer<typeof manifest>

export interface RenderOptions {
  readonly release: string
  readonly namespace: string
  readonly kubeVersion: string
  /** What the cluster serves besides the well-known: `admissionregistration.k8s.io/v1/MutatingAdmissionPolicy`. */
  readonly apiVersions: readonly string[]
  /** As `--set`. */
  readonly values?: Readonly<Record<string, string>> | undefined
}

/** The chart as `helm install` would send it to a cluster. */
export async function renderChart(options: RenderOptions): Promise<Manifest[]> {
  const args = [
    'template',
    options.release,
    CHART,
    `--namespace=${options.namespace}`,
    `--kube-version=${options.kubeVersion}`,
    ...options.apiVersions.map((one) => `--api-versions=${one}`),
    ...Object.entries(options.values ?? {}).map(([name, value]) => `--set=${name}=${value}`),
  ]
  const { stdout } = await promisify(execFile)(program('helm'), args, { maxBuffer: 2 ** 24 })
  return parseAllDocuments(stdout)
    .map((document): unknown => document.toJS())
    .filter((object) => object !== null)
    .map((object) => manifest.parse(object))
}
