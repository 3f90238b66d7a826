import { type Operation, OPERATIONS, type OperationName } from '../../src/apis/v1alpha1/operations.ts'
import { STEPS } from '../../src/apis/v1alpha1/steps.ts'
import { titleOf } from './beside-nova.ts'

/** From one state to another, by what. */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly by: string
}

/** Stands for every vm_state. */
export const ANY = 'any vm_state'

/** The changes of vm_state that operations make when all goes well; what leaves it unchanged is no edge. */
export function edgesOf(names: readonly OperationName[]): readonly Edge[] {
  return names.flatMap((name) => {
    const operation = OPERATIONS[name]
    const froms = operation.vmStates === 'any' ? [ANY] : operation.vmStates
    return froms.flatMap((from) =>
      endsFrom(from, operation)
        .filter((to) => to !== from && to !== 'unchanged')
        .map((to) => ({ from, to, by: titleOf(name) })),
    )
  })
}

/** One that may end as it began does; from elsewhere it ends in the first of its ends. */
function endsFrom(from: string, { success, vmStates }: Operation): readonly string[] {
  if (vmStates === 'any' || !vmStates.some((one) => success.includes(one))) return success
  return success.filter((one) => one === from || (!isIn(success, from) && one === success[0]))
}

function isIn(words: readonly string[], word: string): boolean {
  return words.includes(word)
}

/** The task_states of operations, with the messages that lead from one to the next. */
export function taskEdgesOf(names: readonly OperationName[]): readonly Edge[] {
  return names.flatMap((name) => {
    const { path, vmStates, success } = OPERATIONS[name]
    const starts = vmStates === 'any' ? [ANY] : vmStates
    const steps = path.map((task) => ({ task, by: STEPS[task].rpc.join(', ') }))
    const [first] = steps
    if (!first) return []
    return [
      ...starts.map((from) => ({ from, to: first.task, by: titleOf(name) })),
      ...steps.flatMap(({ task, by }, at) => {
        const next = steps[at + 1]?.task
        return (next ? [next] : success).map((to) => ({ from: task, to, by }))
      }),
    ]
  })
}

/** A diagram as Mermaid takes it, which GitHub draws. What leads from and to the same is one arrow. */
export function diagram(edges: readonly Edge[]): string {
  const states = [...new Set(edges.flatMap(({ from, to }) => [from, to]))]
  const arrows = Map.groupBy(edges, ({ from, to }) => `${idOf(from)} --> ${idOf(to)}`)
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...states.filter((one) => idOf(one) !== one).map((one) => `    state "${one}" as ${idOf(one)}`),
    ...(states.includes('building') ? ['    [*] --> building'] : []),
    ...[...arrows].map(([arrow, all]) => `    ${arrow}: ${[...new Set(all.map(({ by }) => by))].join(', ')}`),
    ...(states.includes('deleted') ? ['    deleted --> [*]'] : []),
    '```',
  ].join('\n')
}

function idOf(state: string): string {
  return state.replaceAll(/[- ]/g, '_')
}
