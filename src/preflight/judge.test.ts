import { describe, expect, it } from 'vitest'
import type { ClusterFacts, Facts, Look } from './facts.ts'
import { isFit } from './finding.ts'
import { judge } from './judge.ts'

const seen = <T>(value: T): Look<T> => ({ kind: 'seen', value })
const absent = { kind: 'absent' } as const
const refused = { kind: 'failed', reason: 'nodes is forbidden' } as const

const GOOD: ClusterFacts = {
  definitions: seen([
    { kind: 'Instance', state: 'served' },
    { kind: 'Flavor', state: 'served' },
  ]),
  kubevirtKinds: seen(['VirtualMachine', 'VirtualMachineInstance']),
  kubevirt: seen([{ name: 'kubevirt/kubevirt', phase: 'Deployed', version: 'v1.6.0', useEmulation: false }]),
  nodes: seen([{ name: 'node-1', schedulable: true, kvm: true }]),
  computeNodes: seen([{ name: 'node-1', isUp: true }]),
  flavors: seen(5),
  images: seen(1),
  policies: seen({
    validating: ['k-agent-own-node', 'k-conductor-guests', 'k-force-host', 'k-instance-actions'],
    mutating: seen(['k-requester']),
  }),
}

function factsOf(
  cluster: Partial<ClusterFacts> = {},
  version = { major: 1, minor: 36, text: 'v1.36.2' },
): Facts {
  return {
    kubernetes: { kind: 'answers', version, cluster: { ...GOOD, ...cluster } },
    messaging: { kind: 'works', tookMs: 3 },
  }
}

describe('what is said of a cluster', () => {
  it('that has everything: that all is well, a line each', () => {
    const findings = judge(factsOf())

    expect(findings.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual([
      'Kubernetes ok',
      'definitions ok',
      'KubeVirt ok',
      'KubeVirt state ok',
      'nodes ok',
      'KVM ok',
      'agents ok',
      'flavors ok',
      'images ok',
      'policies ok',
      'requester ok',
      'messaging ok',
    ])
    expect(isFit(findings)).toBe(true)
  })

  const nodes = (count: number, node: { schedulable: boolean; kvm: boolean }): ClusterFacts['nodes'] =>
    seen(Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}`, ...node })))

  it.each<{ name: string; facts: Facts; check: string; outcome: string; says: string | RegExp }>([
    {
      name: 'an old one',
      facts: factsOf({}, { major: 1, minor: 30, text: 'v1.30.4' }),
      check: 'Kubernetes',
      outcome: 'missing',
      says: 'v1.30.4 is older than v1.31',
    },
    {
      name: 'the oldest that will do',
      facts: factsOf({}, { major: 1, minor: 31, text: 'v1.31.0' }),
      check: 'Kubernetes',
      outcome: 'ok',
      says: 'v1.31.0',
    },
    {
      name: 'one without our kinds',
      facts: factsOf({
        definitions: seen([
          { kind: 'Instance', state: 'missing' },
          { kind: 'Flavor', state: 'served' },
        ]),
      }),
      check: 'definitions',
      outcome: 'missing',
      says: /^no Instance of .*; .*helm install/,
    },
    {
      name: 'one with kinds of an older version',
      facts: factsOf({ definitions: seen([{ kind: 'Instance', state: 'differs' }]) }),
      check: 'definitions',
      outcome: 'missing',
      says: /Instance of .*: of another version than this build; upgrade the chart/,
    },
    {
      name: 'one that has only just got them',
      facts: factsOf({ definitions: seen([{ kind: 'Instance', state: 'not served yet' }]) }),
      check: 'definitions',
      outcome: 'missing',
      says: 'Instance of compute.kilonova.dev: not served yet',
    },
    {
      name: 'one without KubeVirt',
      facts: factsOf({ kubevirtKinds: absent }),
      check: 'KubeVirt',
      outcome: 'missing',
      says: /^not installed: no resource virtualmachines.kubevirt.io; install it, see https:/,
    },
    {
      name: 'one with KubeVirt’s kinds alone',
      facts: factsOf({ kubevirt: seen([]) }),
      check: 'KubeVirt state',
      outcome: 'missing',
      says: 'no KubeVirt resource',
    },
    {
      name: 'one whose KubeVirt is on its way',
      facts: factsOf({
        kubevirt: seen([
          { name: 'kubevirt/kubevirt', phase: 'Deploying', version: undefined, useEmulation: false },
        ]),
      }),
      check: 'KubeVirt state',
      outcome: 'missing',
      says: 'kubevirt/kubevirt is Deploying',
    },
    {
      name: 'one where no node runs guests',
      facts: factsOf({ nodes: nodes(3, { schedulable: false, kvm: true }) }),
      check: 'nodes',
      outcome: 'missing',
      says: 'none of 3 is schedulable for KubeVirt',
    },
    {
      name: 'one without KVM',
      facts: factsOf({ nodes: nodes(1, { schedulable: true, kvm: false }) }),
      check: 'KVM',
      outcome: 'missing',
      says: /not on node-1; .*useEmulation=true/,
    },
    {
      name: 'one without KVM that emulates',
      facts: factsOf({
        nodes: nodes(7, { schedulable: true, kvm: false }),
        kubevirt: seen([{ name: 'k/k', phase: 'Deployed', version: undefined, useEmulation: true }]),
      }),
      check: 'KVM',
      outcome: 'warn',
      says: 'not on node-1, node-2, node-3, node-4, node-5 and 2 more: guests are emulated',
    },
    {
      name: 'one without agents',
      facts: factsOf({ computeNodes: seen([{ name: 'node-1', isUp: false }]) }),
      check: 'agents',
      outcome: 'missing',
      says: '0 of 1 compute nodes up',
    },
    {
      name: 'one with fewer agents than nodes',
      facts: factsOf({ nodes: nodes(2, { schedulable: true, kvm: true }) }),
      check: 'agents',
      outcome: 'warn',
      says: '1 up; none up on node-2',
    },
    {
      name: 'one without flavors',
      facts: factsOf({ flavors: seen(0) }),
      check: 'flavors',
      outcome: 'warn',
      says: /^none: .*kilonova catalogue/,
    },
    {
      name: 'one without policies',
      facts: factsOf({ policies: seen({ validating: ['k-force-host'], mutating: seen(['k-requester']) }) }),
      check: 'policies',
      outcome: 'warn',
      says: /VMs of other nodes; .*any action; set policies.enabled=true/,
    },
    {
      name: 'one that cannot stamp requesters',
      facts: factsOf({ policies: seen({ validating: [], mutating: absent }) }),
      check: 'requester',
      outcome: 'warn',
      says: /v1.36.2 serves no MutatingAdmissionPolicy: .*; it is there from Kubernetes v1.36 on/,
    },
    {
      name: 'one that may not be looked at',
      facts: factsOf({ nodes: refused }),
      check: 'nodes',
      outcome: 'unknown',
      says: 'nodes is forbidden; ask as somebody who may read it',
    },
    {
      name: 'one whose broker is away',
      facts: { ...factsOf(), messaging: { kind: 'fails', reason: 'no message broker for 10000 ms' } },
      check: 'messaging',
      outcome: 'missing',
      says: /^no message broker for 10000 ms; .*--messaging/,
    },
  ])('$name: $check is $outcome', ({ facts, check, outcome, says }) => {
    const findings = judge(facts)

    const { found, remedy, ...rest } = findings.find((one) => one.check === check) ?? {}
    expect(rest).toMatchObject({ outcome })
    expect(remedy === undefined ? found : `${found}; ${remedy}`).toMatch(says)
    expect(isFit(findings)).toBe(outcome === 'ok' || outcome === 'warn')
  })

  it('that does not answer: that, and whether messages go round', () => {
    const findings = judge({
      kubernetes: { kind: 'silent', reason: 'connect ECONNREFUSED' },
      messaging: { kind: 'works', tookMs: 3 },
    })

    expect(findings.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual([
      'Kubernetes missing',
      'messaging ok',
    ])
  })
})
