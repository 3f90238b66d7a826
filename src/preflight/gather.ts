import { COMPUTE_NODE } from '../apis/v1alpha1/compute-node.ts'
import { CRD, type CustomResourceDefinition, isEstablished } from '../apis/definitions.ts'
import { FLAVOR } from '../apis/v1alpha1/flavor.ts'
import { IMAGE } from '../apis/v1alpha1/image.ts'
import { messageOf } from '../common/errors/message-of.ts'
import { isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { listAll } from '../kube/pager.ts'
import { defineResource, type KubeObject, type ResourceType } from '../kube/resource.ts'
import { serverVersion } from '../kube/server-version.ts'
import { NODE, VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../virt/kubevirt/resources.ts'
import { hostResourcesOf } from '../virt/kubevirt/node-resources.ts'
import { z } from 'zod'
import { contains } from './contains.ts'
import type { ClusterFacts, DefinitionState, Facts, KubeVirtFacts, Look, PolicyFacts } from './facts.ts'

const SCHEDULABLE_LABEL = 'kubevirt.io/schedulable'
/** What the chart puts on everything of it. */
const OURS = 'app.kubernetes.io/part-of=kilonova'

interface KubeVirt extends KubeObject {
  readonly spec?: {
    readonly configuration?: { readonly developerConfiguration?: { readonly useEmulation?: boolean } }
  }
  readonly status?: { readonly phase?: string; readonly observedKubeVirtVersion?: string }
}

const KUBEVIRT = defineResource<KubeVirt>({
  group: 'kubevirt.io',
  version: 'v1',
  kind: 'KubeVirt',
  plural: 'kubevirts',
  namespaced: true,
})

interface Binding extends KubeObject {
  readonly spec?: { readonly policyName?: string }
}

function admission<T extends KubeObject>(kind: string, version: string): ResourceType<T> {
  const group = 'admissionregistration.k8s.io'
  return defineResource<T>({ group, version, kind, plural: pluralOf(kind), namespaced: false })
}

function pluralOf(kind: string): string {
  const lower = kind.toLowerCase()
  return lower.endsWith('y') ? `${lower.slice(0, -1)}ies` : `${lower}s`
}

/** Looks at everything, at the same time. Changes nothing. Never rejects: what cannot be seen is a fact. */
export async function gather(deps: {
  readonly client: KubeClient
  /** Makes a message go round; milliseconds it took. */
  readonly roundTrip: () => Promise<number>
  /** The definitions of this build. */
  readonly definitions: readonly CustomResourceDefinition[]
}): Promise<Facts> {
  const [kubernetes, messaging] = await Promise.all([
    lookAtKubernetes(deps.client, deps.definitions),
    deps.roundTrip().then(
      (tookMs): Facts['messaging'] => ({ kind: 'works', tookMs }),
      (error: unknown): Facts['messaging'] => ({ kind: 'fails', reason: messageOf(error) }),
    ),
  ])
  return { kubernetes, messaging }
}

async function lookAtKubernetes(
  client: KubeClient,
  definitions: readonly CustomResourceDefinition[],
): Promise<Facts['kubernetes']> {
  try {
    const version = await serverVersion(client)
    return { kind: 'answers', version, cluster: await lookAtCluster(client, definitions) }
  } catch (error) {
    return { kind: 'silent', reason: messageOf(error) }
  }
}

/** Some providers have `31+`. */
async function lookAtCluster(
  client: KubeClient,
  definitions: readonly CustomResourceDefinition[],
): Promise<ClusterFacts> {
  const [own, kubevirtKinds, kubevirt, nodes, computeNodes, flavors, images, policies] = await Promise.all([
    look(() => Promise.all(definitions.map((one) => lookAtDefinition(client, one)))),
    look(async () => {
      const kinds = [VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE]
      await client.list(VIRTUAL_MACHINE, { limit: 1 })
      await client.list(VIRTUAL_MACHINE_INSTANCE, { limit: 1 })
      return kinds.map(({ kind }) => kind)
    }),
    look(async () => (await client.list(KUBEVIRT)).items.map(kubevirtFactsOf)),
    look(async () =>
      (await listAll(client, NODE, {})).items.map((node) => ({
        name: node.metadata.name,
        schedulable: node.metadata.labels?.[SCHEDULABLE_LABEL] === 'true',
        kvm: hostResourcesOf(node).hypervisorType === 'kvm',
      })),
    ),
    look(async () =>
      (await listAll(client, COMPUTE_NODE, {})).items.map(({ metadata, status }) => ({
        name: metadata.name,
        isUp: status?.state === 'up',
      })),
    ),
    look(async () => (await client.list(FLAVOR)).items.length),
    look(async () => (await client.list(IMAGE)).items.length),
    look(() => lookAtPolicies(client)),
  ])
  return { definitions: own, kubevirtKinds, kubevirt, nodes, computeNodes, flavors, images, policies }
}

async function look<T>(work: () => Promise<T>): Promise<Look<T>> {
  try {
    return { kind: 'seen', value: await work() }
  } catch (error) {
    return isNotFound(error) ? { kind: 'absent' } : { kind: 'failed', reason: messageOf(error) }
  }
}

const names = z.looseObject({ names: z.looseObject({ kind: z.string() }) })

async function lookAtDefinition(
  client: KubeClient,
  wanted: CustomResourceDefinition,
): Promise<{ readonly kind: string; readonly state: DefinitionState }> {
  const { kind } = names.parse(wanted.spec).names
  const there = await look(() => client.get(CRD, { name: wanted.metadata.name }))
  if (there.kind === 'failed') throw new Error(there.reason)
  if (there.kind === 'absent') return { kind, state: 'missing' }
  if (!contains(there.value.spec, wanted.spec)) return { kind, state: 'differs' }
  return { kind, state: isEstablished(there.value) ? 'served' : 'not served yet' }
}

function kubevirtFactsOf({ metadata, spec, status }: KubeVirt): KubeVirtFacts {
  return {
    name: `${metadata.namespace ?? ''}/${metadata.name}`,
    phase: status?.phase ?? '',
    version: status?.observedKubeVirtVersion,
    useEmulation: spec?.configuration?.developerConfiguration?.useEmulation ?? false,
  }
}

async function lookAtPolicies(client: KubeClient): Promise<PolicyFacts> {
  const validating = await boundPolicies(client, 'ValidatingAdmissionPolicy', 'v1')
  const stable = await look(() => boundPolicies(client, 'MutatingAdmissionPolicy', 'v1'))
  const mutating =
    stable.kind === 'absent'
      ? await look(() => boundPolicies(client, 'MutatingAdmissionPolicy', 'v1beta1'))
      : stable
  return { validating, mutating }
}

/** A policy that nothing binds does nothing. */
async function boundPolicies(client: KubeClient, kind: string, version: string): Promise<readonly string[]> {
  const [policies, bindings] = await Promise.all([
    client.list(admission(kind, version), { labelSelector: OURS }),
    client.list(admission<Binding>(`${kind}Binding`, version), { labelSelector: OURS }),
  ])
  const bound = new Set(bindings.items.map(({ spec }) => spec?.policyName))
  return policies.items.map(({ metadata }) => metadata.name).filter((name) => bound.has(name))
}
