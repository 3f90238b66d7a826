import {
  type Node,
  type NodeSelectorRequirement,
  type NodeSelectorTerm,
  trueCondition,
  type VirtualMachineInstanceSpec,
} from '../../virt/kubevirt/resources.ts'

/** What kube-scheduler would do with the launcher Pod: the node it fits on, or its sentence on why there is none. */
export type Fit = { readonly node: Node } | { readonly message: string }

/** Looks at the node's name, its labels, readiness and cordon alone: the room on it is our scheduler's business. */
export function fitOf(spec: VirtualMachineInstanceSpec, nodes: readonly Node[]): Fit {
  const wanted = nodes.filter((node) => isWanted(spec, node))
  const ready = wanted.filter((node) => trueCondition(node, 'Ready') && node.spec?.unschedulable !== true)
  const [node] = ready
  if (node) return { node }
  const reasons = [
    count(nodes.length - wanted.length, "node(s) didn't match Pod's node affinity/selector"),
    count(wanted.filter((each) => each.spec?.unschedulable === true).length, 'node(s) were unschedulable'),
    count(
      wanted.filter((each) => !trueCondition(each, 'Ready') && each.spec?.unschedulable !== true).length,
      'node(s) had untolerated taint(s)',
    ),
  ].filter((reason) => reason !== '')
  return { message: `0/${nodes.length} nodes are available: ${reasons.join(', ')}.` }
}

function count(number: number, text: string): string {
  return number === 0 ? '' : `${number} ${text}`
}

function isWanted(spec: VirtualMachineInstanceSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  const isSelected = Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return isSelected && (terms === undefined || terms.some((term) => isMatch(term, node)))
}

function isMatch({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  const fields: Readonly<Record<string, string>> = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((requirement) => holds(requirement, labels[requirement.key])) &&
    matchFields.every((requirement) => holds(requirement, fields[requirement.key]))
  )
}

function holds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}
