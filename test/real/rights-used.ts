import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Manifest } from './chart.ts'

/** A watch is written down when it begins: it may never end. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts:kilonova-system"]
  - level: None
`

const entry = z.looseObject({
  verb: z.string(),
  requestURI: z.string(),
  user: z.looseObject({ username: z.string() }),
  objectRef: z
    .looseObject({
      apiGroup: z.string().default(''),
      resource: z.string(),
      subresource: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  responseStatus: z.looseObject({ code: z.number().optional() }).optional(),
})

const role = z.looseObject({
  rules: z.array(
    z.looseObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
    }),
  ),
})

/** `api: patch compute.kilonova.dev/instances/status` */
type Right = string

/** Has an API server write down what Kilonova's accounts ask. */
export class RightsAudit {
  readonly #folder: string
  readonly #files: string[] = []

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Arguments for one more API server. */
  args(): readonly string[] {
    const policy = join(this.#folder, 'audit-policy.yaml')
    writeFileSync(policy, AUDIT_POLICY)
    const file = join(this.#folder, `audit-${this.#files.length}.log`)
    this.#files.push(file)
    return [`--audit-policy-file=${policy}`, `--audit-log-path=${file}`]
  }

  /** What was asked for so far; `refused` is what RBAC or a policy said no to. */
  read(): { readonly used: ReadonlySet<Right>; readonly refused: readonly string[] } {
    const used = new Set<Right>()
    const refused: string[] = []
    for (const line of this.#files.flatMap((file) => readFileSync(file, 'utf8').split('\n'))) {
      if (!line.trimEnd().endsWith('}')) continue
      const { verb, user, objectRef, responseStatus, requestURI } = entry.parse(JSON.parse(line))
      if (!objectRef) continue
      const { apiGroup, resource, subresource } = objectRef
      const account = user.username.replace('system:serviceaccount:kilonova-system:kilonova-', '')
      const what = [apiGroup, resource, subresource].filter(Boolean).join('/')
      used.add(`${account}: ${verb} ${what}`)
      if (responseStatus?.code === 403) refused.push(`${account}: ${verb} ${requestURI}`)
    }
    return { used, refused }
  }
}

/** What the chart's roles allow these accounts. */
export function grantedRights(manifests: readonly Manifest[], accounts: readonly string[]): Right[] {
  const rights = accounts.flatMap((account) =>
    manifests
      .filter(
        ({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && metadata.name === `kilonova-${account}`,
      )
      .flatMap((manifest) => role.parse(manifest).rules)
      .flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) =>
          resources.flatMap((resource) =>
            verbs.map((verb) => `${account}: ${verb} ${[group, resource].filter(Boolean).join('/')}`),
          ),
        ),
      ),
  )
  return [...new Set(rights)].toSorted()
}
