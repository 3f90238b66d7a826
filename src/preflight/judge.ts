import { type ServerVersion, tooOld } from '../kube/server-version.ts'
import type { ClusterFacts, Facts, KubeVirtFacts, Look, NodeFacts, PolicyFacts } from './facts.ts'
import type { Finding } from './finding.ts'

/** MutatingAdmissionPolicy is on without more ado. */
const STAMPS_MINOR = 36
const INSTALL_KILONOVA = 'install the chart: helm install kilonova charts/kilonova'
const INSTALL_KUBEVIRT = 'install it, see https://kubevirt.io/user-guide/cluster_admin/installation'
/** The policies of the chart, by the end of their names, and what is so without them. */
const POLICIES = [
  { end: '-agent-own-node', without: 'an agent may touch VMs of other nodes' },
  { end: '-conductor-guests', without: 'the conductor may change VMs that are not Kilonova’s' },
  { end: '-force-host', without: 'whoever creates an instance may choose its host' },
  { end: '-instance-actions', without: 'whoever may create InstanceActions may ask for any action' },
] as const
/** So many names are told. */
const MOST_NAMES = 5

/** What the facts mean, in the order in which they are put right. */
export function judge(facts: Facts): readonly Finding[] {
  return [...ofKubernetes(facts.kubernetes), ofMessaging(facts.messaging)]
}

function ofKubernetes(kubernetes: Facts['kubernetes']): readonly Finding[] {
  if (kubernetes.kind === 'silent') {
    const remedy = 'give a kubeconfig that reaches a cluster: --kubeconfig FILE'
    return [{ check: 'Kubernetes', outcome: 'missing', found: kubernetes.reason, remedy }]
  }
  const { cluster, version } = kubernetes
  return [
    ofVersion(version),
    ...ofDefinitions(cluster.definitions),
    ofKubeVirtKinds(cluster.kubevirtKinds),
    ...ofKubeVirt(cluster.kubevirt),
    ...ofNodes(cluster),
    ...ofAgents(cluster),
    ofCount('flavors', cluster.flavors),
    ofCount('images', cluster.images),
    ...ofPolicies(cluster.policies, version),
  ]
}

function ofVersion(version: ServerVersion): Finding {
  const found = tooOld(version)
  if (found === undefined) return { check: 'Kubernetes', outcome: 'ok', found: version.text }
  return { check: 'Kubernetes', outcome: 'missing', found, remedy: 'upgrade the cluster' }
}

function ofDefinitions(look: ClusterFacts['definitions']): readonly Finding[] {
  const check = 'definitions'
  if (look.kind !== 'seen') return [unseen(check, look)]
  const kinds = (wanted: string): string[] =>
    look.value.filter(({ state }) => state === wanted).map(({ kind }) => kind)
  const missing = kinds('missing')
  const differing = kinds('differs')
  const waiting = kinds('not served yet')
  if (missing.length > 0) {
    const found = `no ${missing.join(', ')} of compute.kilonova.dev`
    return [{ check, outcome: 'missing', found, remedy: INSTALL_KILONOVA }]
  }
  if (differing.length > 0) {
    const found = `${differing.join(', ')} of compute.kilonova.dev: of another version than this build`
    return [{ check, outcome: 'missing', found, remedy: 'upgrade the chart to the version of the image' }]
  }
  if (waiting.length > 0) {
    const found = `${waiting.join(', ')} of compute.kilonova.dev: not served yet`
    return [{ check, outcome: 'missing', found, remedy: 'wait, or see: kubectl describe crd' }]
  }
  return [{ check, outcome: 'ok', found: look.value.map(({ kind }) => kind).join(', ') }]
}

function ofKubeVirtKinds(look: ClusterFacts['kubevirtKinds']): Finding {
  const check = 'KubeVirt'
  if (look.kind === 'seen') return { check, outcome: 'ok', found: `serves ${look.value.join(', ')}` }
  if (look.kind === 'failed') return unseen(check, look)
  const found = 'not installed: no resource virtualmachines.kubevirt.io'
  return { check, outcome: 'missing', found, remedy: INSTALL_KUBEVIRT }
}

function ofKubeVirt(look: Look<readonly KubeVirtFacts[]>): readonly Finding[] {
  const check = 'KubeVirt state'
  if (look.kind === 'failed') return [unseen(check, look)]
  const all = look.kind === 'seen' ? look.value : []
  if (all.length === 0) {
    const found = 'no KubeVirt resource: nobody runs what VirtualMachines ask for'
    return [{ check, outcome: 'missing', found, remedy: INSTALL_KUBEVIRT }]
  }
  return all.map(({ name, phase, version }): Finding => {
    const found = `${name} is ${phase === '' ? 'not deployed yet' : phase}${version === undefined ? '' : ` (${version})`}`
    if (phase === 'Deployed') return { check, outcome: 'ok', found }
    const remedy = `wait, or see: kubectl describe kubevirt -A`
    return { check, outcome: 'missing', found, remedy }
  })
}

function ofNodes({ nodes, kubevirt }: ClusterFacts): readonly Finding[] {
  const check = 'nodes'
  if (nodes.kind !== 'seen') return [unseen(check, nodes)]
  const able = nodes.value.filter(({ schedulable }) => schedulable)
  if (able.length === 0) {
    const found = `none of ${nodes.value.length} is schedulable for KubeVirt (label kubevirt.io/schedulable=true)`
    const remedy = 'see virt-handler on the nodes: kubectl get pods -A -l kubevirt.io=virt-handler -o wide'
    return [{ check, outcome: 'missing', found, remedy }]
  }
  const found = `${able.length} of ${nodes.value.length} schedulable for KubeVirt`
  const emulates = kubevirt.kind === 'seen' && kubevirt.value.some(({ useEmulation }) => useEmulation)
  return [{ check, outcome: 'ok', found }, ...ofKvm(able, emulates)]
}

function ofKvm(able: readonly NodeFacts[], emulates: boolean): readonly Finding[] {
  const check = 'KVM'
  const without = able.filter(({ kvm }) => !kvm).map(({ name }) => name)
  if (without.length === 0) return [{ check, outcome: 'ok', found: 'on every node that is schedulable' }]
  const found = `not on ${someOf(without)}`
  if (emulates) {
    return [{ check, outcome: 'warn', found: `${found}: guests are emulated in software there, and slow` }]
  }
  const remedy =
    'use nodes with virtualisation, or software emulation: spec.configuration.developerConfiguration.useEmulation=true in the KubeVirt resource'
  return [{ check, outcome: without.length === able.length ? 'missing' : 'warn', found, remedy }]
}

function ofAgents({ nodes, computeNodes }: ClusterFacts): readonly Finding[] {
  const check = 'agents'
  const remedy = 'see the agents: kubectl get pods -A -l app.kubernetes.io/component=compute -o wide'
  // Without the definition there are no agents either, and that is said already.
  if (computeNodes.kind === 'absent') return []
  if (computeNodes.kind === 'failed') return [unseen(check, computeNodes)]
  const up = new Set(computeNodes.value.filter(({ isUp }) => isUp).map(({ name }) => name))
  if (up.size === 0) {
    return [
      { check, outcome: 'missing', found: `0 of ${computeNodes.value.length} compute nodes up`, remedy },
    ]
  }
  const able = nodes.kind === 'seen' ? nodes.value.filter(({ schedulable }) => schedulable) : []
  const without = able.filter(({ name }) => !up.has(name)).map(({ name }) => name)
  const found = `${up.size} up`
  if (without.length === 0) return [{ check, outcome: 'ok', found }]
  return [{ check, outcome: 'warn', found: `${found}; none up on ${someOf(without)}`, remedy }]
}

function ofCount(check: 'flavors' | 'images', look: Look<number>): Finding {
  if (look.kind === 'failed') return unseen(check, look)
  const count = look.kind === 'seen' ? look.value : 0
  if (count > 0) return { check, outcome: 'ok', found: `${count}` }
  const remedy = `make some: kilonova catalogue, or kubectl apply -f examples/`
  return { check, outcome: 'warn', found: `none: no instance can name one`, remedy }
}

function ofPolicies(look: Look<PolicyFacts>, version: ServerVersion): readonly Finding[] {
  const check = 'policies'
  if (look.kind !== 'seen') return [unseen(check, look)]
  const { validating, mutating } = look.value
  const lacking = POLICIES.filter(({ end }) => !validating.some((name) => name.endsWith(end)))
  const remedy = 'set policies.enabled=true in the values of the chart'
  const rules: Finding =
    lacking.length === 0
      ? { check, outcome: 'ok', found: validating.join(', ') }
      : { check, outcome: 'warn', found: lacking.map(({ without }) => without).join('; '), remedy }
  return [rules, ofStamp(mutating, version)]
}

function ofStamp(look: Look<readonly string[]>, { text }: ServerVersion): Finding {
  const check = 'requester'
  const unknown = 'who asked for an operation is not recorded'
  if (look.kind === 'failed') return unseen(check, look)
  if (look.kind === 'absent') {
    const found = `${text} serves no MutatingAdmissionPolicy: ${unknown}`
    return {
      check,
      outcome: 'warn',
      found,
      remedy: `it is there from Kubernetes v1.${STAMPS_MINOR} on, and before where its beta is switched on`,
    }
  }
  if (look.value.length > 0) return { check, outcome: 'ok', found: look.value.join(', ') }
  const remedy = 'upgrade the chart with policies.enabled=true'
  return { check, outcome: 'warn', found: `no policy: ${unknown}`, remedy }
}

function ofMessaging(messaging: Facts['messaging']): Finding {
  const check = 'messaging'
  if (messaging.kind === 'works') {
    return { check, outcome: 'ok', found: `a message went round in ${messaging.tookMs} ms` }
  }
  const remedy = 'see the broker, and the options --messaging and --messaging-*-file'
  return { check, outcome: 'missing', found: messaging.reason, remedy }
}

function unseen(check: string, look: Look<unknown>): Finding {
  const found = look.kind === 'failed' ? look.reason : 'the API server does not know of it'
  const remedy = 'ask as somebody who may read it'
  return { check, outcome: 'unknown', found, ...(look.kind === 'failed' && { remedy }) }
}

function someOf(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES
  return `${names.slice(0, MOST_NAMES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
