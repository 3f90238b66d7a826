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
const COMPONENT = 'app.kubernetes.io/component'

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
const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(
          z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })) }),
        ),
      }),
    }),
  }),
})
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
  | 'nats-renew'
  | 'catalogue'
  | 'check'

export interface TokenOptions {
  /** The Pod runs there. */
  readonly node?: string | undefined
  /** Whom the token is for; without one, the API server. */
  readonly audience?: string
  /** Of no Pod: anybody who may ask for tokens can make such a one. */
  readonly isUnbound?: boolean
}

/** The chart's rights in a control plane: definitions, accounts, roles and policies, without the workloads. */
export class Installation {
  readonly namespace = NAMESPACE
  readonly manifests: readonly Manifest[]
  readonly #plane: ControlPlane
  readonly #rendered: readonly Manifest[]

  private constructor(plane: ControlPlane, rendered: readonly Manifest[]) {
    this.#plane = plane
    this.#rendered = rendered
    this.manifests = rendered.filter(({ kind }) => KINDS.has(kind))
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
    const installation = new Installation(plane, rendered)
    const { manifests } = installation
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

  /** What the chart tells nats-auth: who is which service, and whom their tokens are for. */
  get natsAuth(): { readonly serviceAccounts: string; readonly audience: string } {
    return {
      serviceAccounts: this.#setting('nats-auth', 'KILONOVA_SERVICE_ACCOUNTS'),
      audience: this.#setting('nats-auth', 'KILONOVA_TOKEN_AUDIENCE'),
    }
  }

  /** A token as kubelet hands it to a Pod of this account; an agent's Pod is on a node. */
  async token(account: Account, { node, audience, isUnbound }: TokenOptions = {}): Promise<string> {
    const name = `${RELEASE}-${account}`
    const pod = isUnbound ? undefined : await this.#makePod(account, node)
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
            ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod } }),
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

  /** The Pods of an account are gone at once, and with them the tokens that are bound to them. */
  async removePods(account: Account): Promise<void> {
    const selector = encodeURIComponent(`${COMPONENT}=${account}`)
    const path = `/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${selector}&gracePeriodSeconds=0`
    const answer = await ask(this.#plane, {}, { method: 'DELETE', path })
    if (answer.status !== 200) throw new Error(`the Pods of ${account} are still there: ${answer.message}`)
  }

  #setting(component: Account, variable: string): string {
    const found = this.#rendered.find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === `${RELEASE}-${component}`,
    )
    const [container] = workload.parse(found).spec.template.spec.containers
    const value = container?.env.find(({ name }) => name === variable)?.value
    if (value === undefined) throw new Error(`the chart does not tell ${component} its ${variable}`)
    return value
  }

  async #makePod(account: Account, node?: string): Promise<{ readonly name: string; readonly uid: string }> {
    const name = [`${RELEASE}-${account}`, node, ++pods].filter(Boolean).join('-')
    const answer = await ask(
      this.#plane,
      {},
      {
        method: 'POST',
        path: `/api/v1/namespaces/${NAMESPACE}/pods`,
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, labels: { [COMPONENT]: account } },
          spec: {
            serviceAccountName: `${RELEASE}-${account}`,
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
