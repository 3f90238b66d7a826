import { type Operation, OPERATIONS, type OperationName } from '../../src/apis/v1alpha1/operations.ts'
import { STEPS } from '../../src/apis/v1alpha1/steps.ts'
import { NOVA, type NovaOperation } from './nova.ts'
import { cell, code, codes, way } from './words.ts'

/** In what an operation is not Nova's. */
export interface Difference {
  readonly what: string
  readonly nova: string
  readonly ours: string
}

/** The vm_states that the tasks of an operation leave when they fail for good; none where it has no task. */
export function failuresOf({ path }: Pick<Operation, 'path'>): readonly string[] {
  return [...new Set(path.map((task) => STEPS[task].failure))]
}

/** What both tables say, where they do not say the same. */
export function differencesOf(name: OperationName): readonly Difference[] {
  const ours = OPERATIONS[name]
  const nova = NOVA[name]
  const all: readonly (Difference & { readonly isSame: boolean })[] = [
    row('vm_states', nova.vmStates, ours.vmStates, codes),
    row('task_states', nova.taskStates, ours.taskStates, codes),
    row('a lock', [nova.lock], [ours.lock], (words) => cell(words.join())),
    row('on the way', nova.path, ours.path, way),
    row('ends in', nova.success, ours.success, codes),
    row('after a failure', nova.failure, failuresOf(ours), codes),
  ]
  return all
    .filter(({ isSame }) => !isSame)
    .map(({ what, nova: its, ours: own }) => ({ what, nova: its, ours: own }))
}

type Words = readonly (string | null)[]

// oxlint-disable-next-line max-params -- what is compared, of whom, and how it is written
function row(
  what: string,
  nova: Words | 'any',
  ours: Words | 'any',
  write: (words: Words) => string,
): Difference & { readonly isSame: boolean } {
  const text = (words: Words | 'any'): string => (words === 'any' ? 'any' : write(words))
  const [a, b] = [text(nova), text(ours)]
  const isSame = what === 'on the way' ? a === b : sorted(nova) === sorted(ours)
  return { what, nova: a, ours: b, isSame }
}

function sorted(words: Words | 'any'): string {
  return words === 'any' ? words : words.map(String).toSorted().join()
}

/** How an operation is asked for here. */
export function askedOf(name: OperationName, { action, askedBy }: Operation): string {
  if (askedBy === 'Instance') return ASKED_ON_INSTANCE[name] ?? ''
  return name === 'rebootHard'
    ? `an InstanceAction ${code(action)} with ${code('type: Hard')}`
    : `an InstanceAction ${code(action)}`
}

const ASKED_ON_INSTANCE: Readonly<Partial<Record<OperationName, string>>> = {
  create: '`kubectl create` of the Instance',
  delete: '`kubectl delete` of the Instance',
  start: '`spec.powerState: Running`',
  stop: '`spec.powerState: Shutdown`',
  pause: '`spec.powerState: Paused`',
  unpause: '`spec.powerState: Running`',
  suspend: '`spec.powerState: Suspended`',
  resume: '`spec.powerState: Running`',
  resize: 'another `spec.flavor`',
}

/** One operation, Nova's beside ours. */
export function besideNova(name: OperationName): string {
  const ours = OPERATIONS[name]
  const nova: NovaOperation = NOVA[name]
  const differences = differencesOf(name)
  const lines = [
    `### ${titleOf(name)}`,
    '',
    `${code(nova.asked)}; here ${askedOf(name, ours)}.`,
    '',
    ...(differences.length > 0
      ? [
          '| | Nova | Kilonova |',
          '| --- | --- | --- |',
          ...differences.map((one) => `| ${one.what} | ${one.nova} | ${one.ours} |`),
          '',
        ]
      : []),
    ours.unlikeNova === '' ? 'As in Nova.' : ours.unlikeNova,
  ]
  return lines.join('\n')
}

/** As it is called in the page. */
export function titleOf(name: OperationName): string {
  if (name === 'rebootSoft') return 'reboot (Soft)'
  return name === 'rebootHard' ? 'reboot (Hard)' : name
}
