import type { NodeSelectorTerm, VirtualMachineInstanceSpec } from './resources.ts'

type Affinity = NonNullable<VirtualMachineInstanceSpec['affinity']>

/** No node is called so: a VM that is pinned to it starts nowhere. */
const NOWHERE = 'nowhere.compute.kilonova.dev'

/**
 * By the node's name as a field, and not by the label kubernetes.io/hostname, which need not be the name. The launcher
 * Pod still goes through kube-scheduler, which knows of taints, ports and volumes that we do not. Terms are
 * alternatives; one cannot name several nodes.
 */
export function pinnedTo(...hosts: readonly string[]): Affinity {
  const nodeSelectorTerms = (hosts.length === 0 ? [NOWHERE] : hosts).map(termOf)
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } }
}

/** The hosts that a machine is pinned to, the first the one it was first pinned to. */
export function hostsOf(affinity: Affinity | undefined): readonly string[] {
  const terms =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  return terms.flatMap(({ matchFields = [] }) =>
    matchFields.filter(({ key }) => key === 'metadata.name').flatMap(({ values = [] }) => values),
  )
}

function termOf(host: string): NodeSelectorTerm {
  return { matchFields: [{ key: 'metadata.name', operator: 'In', values: [host] }] }
}
