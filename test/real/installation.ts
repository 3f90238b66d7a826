import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { z } from 'zod'
import { eventually } from '../scenarios/eventually.ts'
import { type Manifest, renderChart } from './chart.ts'
import type { ControlPlane } from './parts/control-plane.ts'
import { program } from './parts/programs.ts'
import { kubeconfig } from './parts/users.ts'
import { POLICY_PROBES, PROBE_NAMESPACE, PROBE_RIGHTS, prepareProbes } from './policy-probes.ts'
import { ask, bearer } from './requests.ts'

const RELEASE = 'kilonova'
const NAMESPACE = 'kilonova-system'

/** What says who may do what; the workloads are processes of ours. */
const KINDS: ReadonlySet<string> = new Set([
  'CustomResourceDefinition',
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
])

/** As long as a test world may last. */
const TOKEN_SECONDS = 6 * 3600

const apiResources = z.looseObject({ resources: z.array(z.looseObject({ kind: z.string() })) })
const withUid = z.looseObject({ metadata: z.looseObject({ uid: z.string() }) })
const tokenRequest = z.looseObject({ status: z.looseObject({ token: z.string() }) })

/** The ServiceAccounts that services run under. */
export type Account =
  | 'api'
  | 'scheduler'
  | 'conductor'
  | 'compute'
  | 'nats-auth'
  | 'nats-keys'
  | 'catalogue'
  | 'check'

export interface TokenOptions {
  /** The Pod runs there. */
  readonly node?: string | undefined
  /** Whom the token is for; without one, the API server. */
  readonly audience?: string
}

/** The chart's rights in a control plane: definitions, accounts, roles and policies, without the workloads. */
export class Installation {
  readonly namespace = NAMESPACE
  readonly manifests: readonly Manifest[]
  readonly #plane: ControlPlane

  private constructor(plane: ControlPlane, manifests: readonly Manifest[]) {
    this.#plane = plane
    this.manifests = manifests
  }

  /** Resolves when the definitions are served and every policy is at work. */
  static async apply(
    plane: ControlPlane,
    options: { readonly values?: Readonly<Record<string, string>> } = {},
  ): Promise<Installation> {
    const rendered = await renderChart({
      release: RELEASE,
      namespace: NAMESPACE,
      kubeVersion: await versionOf(plane),
      apiVersions: await admissionKinds(plane),
      values: options.values,
    })
    const manifests = rendered.filter(({ kind }) => KINDS.has(kind))
    const installation = new Installation(plane, manifests)
    await makeNamespace(plane, NAMESPACE)
    await makeNamespace(plane, PROBE_NAMESPACE)
    const definitions = manifests.filter(({ kind }) => kind === 'CustomResourceDefinition')
    await kubectlApply(plane, definitions)
    await kubectl(plane, ['wait', '--for=condition=Established', '--timeout=60s', ...definitions.map(nameOf)])
    await kubectlApply(plane, [
      ...manifests.filter(({ kind }) => kind !== 'CustomResourceDefinition'),
      ...PROBE_RIGHTS,
    ])
    await prepareProbes(plane)
    await installation.untilActive()
    return installation
  }

  /** A token as kubelet hands it to a Pod of this account; an agent's Pod is on a node. */
  async token(account: Account, { node, audience }: TokenOptions = {}): Promise<string> {
    const name = `${RELEASE}-${account}`
    const pod = await this.#makePod(name, node)
    const answer = await ask(
      this.#plane,
      {},
      {
        method: 'POST',
        path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`,
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            ...(audience !== undefined && { audiences: [audience] }),
            expirationSeconds: TOKEN_SECONDS,
            boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod },
          },
        },
      },
    )
    if (answer.status !== 201) throw new Error(`no token for ${name}: ${answer.message}`)
    return tokenRequest.parse(answer.body).status.token
  }

  /** Writes a kubeconfig with such a token, and gives its path. */
  async kubeconfig(account: Account, node?: string): Promise<string> {
    const name = [account, node, ++kubeconfigs].filter(Boolean).join('-')
    const path = join(this.#plane.dir, `${name}.kubeconfig`)
    const { url, caFile } = this.#plane
    writeFileSync(path, kubeconfig(name, await this.token(account, { node }), { url, caFile }), {
      mode: 0o600,
    })
    return path
  }

  async #makePod(account: string, node?: string): Promise<{ readonly name: string; readonly uid: string }> {
    const name = [account, node, ++pods].filter(Boolean).join('-')
    const answer = await ask(
      this.#plane,
      {},
      {
        method: 'POST',
        path: `/api/v1/namespaces/${NAMESPACE}/pods`,
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name },
          spec: {
            serviceAccountName: account,
            ...(node !== undefined && { nodeName: node }),
            containers: [{ name: 'kilonova', image: 'kilonova' }],
          },
        },
      },
    )
    if (answer.status !== 201) throw new Error(`no Pod ${name}: ${answer.message}`)
    return { name, uid: withUid.parse(answer.body).metadata.uid }
  }

  /** The API server takes a moment to notice a new policy, and nothing tells when. */
  async untilActive(): Promise<void> {
    const installed = new Set(this.manifests.map(({ metadata }) => metadata.name))
    const agent = bearer(await this.token('compute'))
    for (const { policy, who, asked, isActive } of POLICY_PROBES) {
      if (!installed.has(`${RELEASE}-${policy}`)) continue
      await eventually(`the policy ${policy} is at work`, async () => {
        return isActive(await ask(this.#plane, who ?? agent, asked))
      })
    }
  }
}

/** Each token is for a Pod of its own. */
let pods = 0
let kubeconfigs = 0

function nameOf({ metadata }: Manifest): string {
  return `crd/${metadata.name}`
}

async function makeNamespace(plane: ControlPlane, name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  await ask(plane, {}, { method: 'POST', path: '/api/v1/namespaces', body })
}

async function versionOf(plane: ControlPlane): Promise<string> {
  const { body } = await ask(plane, {}, { method: 'GET', path: '/version' })
  return z.looseObject({ gitVersion: z.string() }).parse(body).gitVersion
}

/** Which kinds of admission policy there are: it differs between versions of Kubernetes. */
async function admissionKinds(plane: ControlPlane): Promise<string[]> {
  const found = ['v1', 'v1beta1'].map(async (version) => {
    const groupVersion = `admissionregistration.k8s.io/${version}`
    const { status, body } = await ask(plane, {}, { method: 'GET', path: `/apis/${groupVersion}` })
    if (status !== 200) return []
    return apiResources.parse(body).resources.map(({ kind }) => `${groupVersion}/${kind}`)
  })
  return (await Promise.all(found)).flat()
}

async function kubectlApply(plane: ControlPlane, objects: readonly object[]): Promise<void> {
  const file = join(plane.dir, `apply-${++applied}.yaml`)
  writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'))
  await kubectl(plane, ['apply', '--server-side', '-f', file])
}

let applied = 0

async function kubectl(plane: ControlPlane, args: readonly string[]): Promise<void> {
  const env = { ...process.env, KUBECONFIG: plane.kubeconfigPath }
  await promisify(execFile)(program('kubectl'), [...args], { env })
}
