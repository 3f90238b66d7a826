import { describe, expect, it } from 'vitest'
import { buildAndRunInstance, HOST_METHODS } from '../../compute/rpcapi.ts'
import { buildInstances, moveInstance } from '../../scheduler/rpcapi.ts'
import { FakeDriver } from '../../virt/fake/driver.ts'
import { OPERATION_NAMES, type OperationName, OPERATIONS } from './operations.ts'
import { stepOf, STEPS } from './steps.ts'
import { ACTION_NAMES, TASK_STATES, type TaskState, VM_STATES } from './states.ts'

/** That the rows of the one table hold together, and name what there is. */

/** The operations that pass through each task_state, written down a second time. */
const PASSED_BY: Readonly<Record<TaskState, readonly OperationName[]>> = {
  scheduling: ['create'],
  spawning: ['create'],
  'powering-off': ['stop'],
  'powering-on': ['start'],
  pausing: ['pause'],
  unpausing: ['unpause'],
  suspending: ['suspend'],
  resuming: ['resume'],
  rebooting: ['rebootSoft'],
  rebooting_hard: ['rebootHard'],
  rescuing: ['rescue'],
  unrescuing: ['unrescue'],
  rebuilding: ['rebuild', 'evacuate'],
  resize_prep: ['resize', 'migrate'],
  resize_migrating: ['resize', 'migrate'],
  resize_migrated: ['resize', 'migrate'],
  resize_confirming: ['confirmResize'],
  resize_reverting: ['revertResize'],
  migrating: ['live-migration'],
  shelving: ['shelve'],
  shelving_offloading: ['shelveOffload'],
  unshelving: ['unshelve'],
  image_snapshot: ['createImage'],
  'soft-deleting': ['softDelete'],
  restoring: ['restore'],
  deleting: ['delete'],
}

/** Every message that has a step done. */
const MESSAGES = new Set<string>([
  buildInstances.name,
  moveInstance.name,
  buildAndRunInstance.name,
  ...Object.values(HOST_METHODS).map(({ name }) => name),
])

describe.each(TASK_STATES)('task_state %s', (taskState) => {
  const step = stepOf(taskState)

  it('is on the way of the operations it belongs to, and of no other', () => {
    const passing = OPERATION_NAMES.filter((name) => OPERATIONS[name].path.includes(taskState))
    expect(passing.toSorted()).toEqual(PASSED_BY[taskState].toSorted())
  })

  it('leads back to an operation that passes through it', () => {
    const actions = PASSED_BY[taskState].map((name) => OPERATIONS[name].action)
    expect(actions).toContain(step.action)
  })

  it('is carried out by messages that there are', () => {
    expect(step.rpc.length).toBeGreaterThan(0)
    expect(step.rpc.filter((name) => !MESSAGES.has(name))).toEqual([])
  })

  it('has its driver do what a driver can', () => {
    const missing = step.driver.filter(
      (name) => typeof Reflect.get(FakeDriver.prototype, name) !== 'function',
    )
    expect(missing).toEqual([])
  })

  it('ends some time', () => {
    expect(step.timeoutSeconds).toBeGreaterThanOrEqual(60)
    expect(step.timeoutSeconds).toBeLessThanOrEqual(7200)
  })
})

it('every message to an agent belongs to a step', () => {
  const used = new Set(TASK_STATES.flatMap((task) => stepOf(task).rpc))
  expect(Object.keys(HOST_METHODS).filter((name) => !used.has(name))).toEqual([])
})

it('every action has an operation, and every operation an action', () => {
  const actions = new Set(OPERATION_NAMES.map((name) => OPERATIONS[name].action))
  expect([...actions].toSorted()).toEqual(ACTION_NAMES.toSorted())
})

it('every task_state is a step, and every vm_state but building is where something ends', () => {
  expect(Object.keys(STEPS).toSorted()).toEqual(TASK_STATES.toSorted())
  const ends = new Set<string>(OPERATION_NAMES.flatMap((name) => OPERATIONS[name].success))
  // An instance is building from the start.
  expect(VM_STATES.filter((vm) => !ends.has(vm))).toEqual(['building'])
})

describe.each(OPERATION_NAMES)('%s', (name) => {
  const operation = OPERATIONS[name]

  it('passes each task once and ends somewhere', () => {
    expect(new Set(operation.path).size).toBe(operation.path.length)
    expect(operation.success.length).toBeGreaterThan(0)
  })

  it('can go on from where another has ended', () => {
    if (operation.vmStates === 'any') return
    const ends = new Set<string>(['building', ...OPERATION_NAMES.flatMap((one) => OPERATIONS[one].success)])
    expect(operation.vmStates.filter((vm) => !ends.has(vm))).toEqual([])
  })
})

/** What the operations need of their host: Nova's check_instance_host, and what evacuation is about. */
it.each([
  {
    host: 'any',
    names: ['create', 'delete', 'unshelve', 'forceDelete', 'lock', 'unlock', 'resetState'],
  },
  { host: 'up', names: ['resize', 'migrate', 'live-migration'] },
  { host: 'down', names: ['evacuate'] },
] as const)('the operations that need a host that is $host are just these', ({ host, names }) => {
  const found = OPERATION_NAMES.filter((name) => OPERATIONS[name].host === host)
  expect(found.toSorted()).toEqual(names.toSorted())
})
