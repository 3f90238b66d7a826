import { type Operation, OPERATIONS, OPERATION_NAMES } from '../../src/apis/v1alpha1/operations.ts'
import { apiStatus, TASK_STATES, type TaskState, VM_STATES } from '../../src/apis/v1alpha1/states.ts'
import { STEPS } from '../../src/apis/v1alpha1/steps.ts'
import type { MigrationState } from '../../src/objects/instance-update.ts'
import { nextMessage } from '../../src/objects/next-message.ts'
import { failuresOf, titleOf } from './beside-nova.ts'
import { cell, code, codes, table, way } from './words.ts'

/** What is allowed when. */
export function allowedTable(): string {
  const rows = OPERATION_NAMES.map((name) => {
    const { askedBy, vmStates, taskStates, lock, host } = OPERATIONS[name]
    return [
      titleOf(name),
      askedBy,
      vmStates === 'any' ? 'any' : codes(vmStates),
      taskStates === 'any' ? 'any' : codes(taskStates),
      lock === 'refuses' ? 'refused' : 'allowed',
      HOST[host],
    ]
  })
  return table(['operation', 'asked for on', 'vm_state', 'task_state', 'while locked', 'host'], rows)
}

const HOST: Readonly<Record<Operation['host'], string>> = {
  any: '–',
  bound: 'has one',
  up: 'its agent is up',
  down: 'its agent is down',
}

/** How operations go and end. */
export function walkTable(): string {
  const rows = OPERATION_NAMES.map((name) => {
    const operation = OPERATIONS[name]
    return [
      titleOf(name),
      operation.path.length === 0 ? 'none: nova-api does it at once' : way(operation.path),
      codes(operation.success),
      codes(failuresOf(operation)),
    ]
  })
  return table(['operation', 'task_states', 'ends in', 'after a failure'], rows)
}

/** What is done in each task_state, by whom, and how long it may take. */
export function taskTable(): string {
  const places = placesOfMessages()
  const rows = TASK_STATES.map((task) => {
    const { rpc, driver, failure, timeoutSeconds } = STEPS[task]
    const operations = OPERATION_NAMES.filter((name) => OPERATIONS[name].path.includes(task))
    return [
      code(task),
      operations.map(titleOf).join(', '),
      rpc.map((method) => `${code(method)} (${placeOf(places, method)})`).join(', '),
      cell(driver.map(code).join(', ')),
      codes([failure]),
      `${timeoutSeconds} s`,
    ]
  })
  return table(['task_state', 'of', 'messages', 'driver calls', 'after a failure', 'deadline'], rows)
}

/** The API's word for each state. */
export function statusTable(): string {
  const rows = VM_STATES.map((vm) => {
    const word = apiStatus(vm, undefined)
    const refined = Map.groupBy(
      TASK_STATES.filter((task) => apiStatus(vm, task) !== word),
      (task) => apiStatus(vm, task),
    )
    const others = [...refined].map(([other, tasks]) => `${code(other)} in ${codes(tasks)}`)
    return [code(vm), code(word), cell(others.join('; '))]
  })
  return table(['vm_state', 'status', 'but'], rows)
}

const SOURCE = 'source'
const DESTINATION = 'destination'
const MOVE = { type: 'resize', oldVmState: 'active', sourceHost: SOURCE } as const
const MIGRATIONS: readonly MigrationState[] = [
  { ...MOVE, status: 'accepted' },
  { ...MOVE, status: 'preparing', destHost: DESTINATION },
  { ...MOVE, status: 'running', destHost: DESTINATION },
]

/** Who is told what, as the messages themselves go: by every state that a task may be in. */
function placesOfMessages(): ReadonlyMap<string, ReadonlySet<string>> {
  const places = new Map<string, Set<string>>()
  const add = (method: string, place: string): void => {
    places.set(method, (places.get(method) ?? new Set()).add(place))
  }
  for (const taskState of TASK_STATES) {
    for (const migration of migrationsIn(taskState)) {
      for (const host of migration ? [SOURCE, DESTINATION] : ['host']) {
        const next = nextMessage({ status: { taskState, host, migration } })
        if (next?.to === 'scheduler') add(next.method, 'scheduler')
        if (next?.turn) add(next.turn.method, next.turn.host)
      }
    }
  }
  return places
}

/** An instance in such a task may be on a move, must be, or cannot be. */
function migrationsIn(task: TaskState): readonly (MigrationState | undefined)[] {
  if (task === 'rebuilding') return [undefined, ...MIGRATIONS]
  return task === 'migrating' || task.startsWith('resize_') ? MIGRATIONS : [undefined]
}

function placeOf(places: ReadonlyMap<string, ReadonlySet<string>>, method: string): string {
  return [...(places.get(method) ?? ['host'])].join(' or ')
}
