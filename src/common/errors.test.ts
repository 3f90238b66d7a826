import { describe, expect, it } from 'vitest'
import * as errors from './errors.ts'
import { messageOf, NovaError, type Outcome } from './errors.ts'

interface Case {
  readonly error: NovaError
  readonly message: string
  readonly outcome: Outcome
  readonly code: number
}

const {
  InstanceInvalidState,
  NoValidHost,
  MaxRetriesExceeded,
  ComputeResourcesUnavailable,
  InstanceDeployFailure,
  BuildAbortException,
  InstancePowerOffFailure,
  InstancePowerOnFailure,
  MigrationError,
  SnapshotFailure,
  InstanceExists,
  InstanceNotFound,
  FlavorNotFound,
  GroupAffinityViolation,
  InstanceGroupNotFound,
  OverQuota,
  ImageNotFound,
  FlavorMemoryTooSmall,
  FlavorDiskSmallerThanMinDisk,
  InstanceUserDataMalformed,
  UnexpectedTaskStateError,
  UnexpectedDeletingTaskStateError,
  TaskTimedOut,
  KubernetesUnavailable,
  GuestOperationFailure,
  NotSupported,
  ConsoleNotAvailable,
  ServiceStopping,
  Forbidden,
  PolicyNotAuthorized,
} = errors

const instance = 'uid-1'
const CASES: readonly Case[] = [
  {
    error: new InstanceInvalidState({ instance, method: 'stop', attr: 'vm_state', state: 'paused' }),
    message: "Cannot 'stop' instance uid-1 while it is in vm_state paused",
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new NoValidHost({ reason: 'There are no compute nodes.' }),
    message: 'No valid host was found. There are no compute nodes.',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new MaxRetriesExceeded({ attempts: 2, hosts: ['node-1', 'node-2'], reason: 'no luck' }),
    message: 'Exceeded maximum number of build attempts (2) on node-1, node-2. Last failure: no luck',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new ComputeResourcesUnavailable({ host: 'node-1', reason: 'vcpus: 2 asked, 1 of 8 free' }),
    message: 'Insufficient compute resources on node-1: vcpus: 2 asked, 1 of 8 free',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new InstanceDeployFailure({ instance, host: 'node-1', reason: 'no KVM' }),
    message: 'Failed to deploy instance uid-1 on node-1: no KVM',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new BuildAbortException({ instance, reason: 'the Secret is gone' }),
    message: 'Build of instance uid-1 aborted: the Secret is gone',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new InstancePowerOffFailure({ instance, reason: 'refused' }),
    message: 'Failed to power off instance uid-1: refused',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new InstancePowerOnFailure({ instance, reason: 'refused' }),
    message: 'Failed to power on instance uid-1: refused',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new GuestOperationFailure({ instance, operation: 'pause', reason: 'VMI is being migrated' }),
    message: 'Failed to pause instance uid-1: VMI is being migrated',
    outcome: 'retry',
    code: 500,
  },
  {
    error: new NotSupported({ operation: 'suspend', reason: 'KubeVirt has none; pause it or stop it' }),
    message: "'suspend' is not supported: KubeVirt has none; pause it or stop it",
    outcome: 'terminal',
    code: 501,
  },
  {
    error: new ConsoleNotAvailable({ instance, reason: 'it is off' }),
    message: 'Guest does not have a console available: instance uid-1, it is off',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new MigrationError({ instance, reason: 'its target Pod cannot be scheduled' }),
    message: 'Failed to move instance uid-1: its target Pod cannot be scheduled',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new SnapshotFailure({ instance, reason: 'no room' }),
    message: 'Failed to take a snapshot of instance uid-1: no room',
    outcome: 'terminal',
    code: 500,
  },
  {
    error: new InstanceExists({ name: 'default/web', owner: 'nobody' }),
    message:
      "VirtualMachine default/web already exists and is not this instance's (nobody); rename the instance or remove that VirtualMachine",
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new InstanceNotFound({ instance }),
    message: 'Instance uid-1 could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new FlavorNotFound({ flavor: 'm1' }),
    message: 'Flavor m1 could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new GroupAffinityViolation({ host: 'node-1', group: 'shop/web', members: 2, most: 2 }),
    message:
      'Anti-affinity server group policy was violated: node-1 has 2 of the group shop/web, and may have 2.',
    outcome: 'reschedule',
    code: 500,
  },
  {
    error: new InstanceGroupNotFound({ group: 'web' }),
    message: 'Instance group web could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new OverQuota({ quota: 'small', over: 'cores: 4 asked, 18 of 20 used' }),
    message: 'Quota exceeded for resources: cores: 4 asked, 18 of 20 used (ComputeQuota small).',
    outcome: 'terminal',
    code: 403,
  },
  {
    error: new ImageNotFound({ image: 'cirros' }),
    message: 'Image cirros could not be found.',
    outcome: 'terminal',
    code: 404,
  },
  {
    error: new FlavorMemoryTooSmall({ flavor: 'm1', memoryMb: 511, image: 'cirros', minRamMb: 512 }),
    message:
      "Flavor's memory is too small for requested image: flavor m1 has 511 MiB, image cirros needs 512 MiB.",
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new FlavorDiskSmallerThanMinDisk({ flavor: 'm1', diskGb: 1, image: 'cirros', minDiskGb: 2 }),
    message:
      "Flavor's disk is smaller than the minimum size specified in image metadata: flavor m1 has 1 GiB, image cirros needs 2 GiB.",
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new InstanceUserDataMalformed({ reason: 'too long' }),
    message: 'User data needs to be valid: too long',
    outcome: 'terminal',
    code: 400,
  },
  {
    error: new UnexpectedTaskStateError({
      instance,
      expected: 'task_state null',
      actual: 'task_state spawning',
    }),
    message: 'Conflict updating instance uid-1. Expected: task_state null. Actual: task_state spawning',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new UnexpectedDeletingTaskStateError({
      instance,
      expected: 'task_state null',
      actual: 'task_state deleting',
    }),
    message:
      'Conflict updating instance uid-1, which is being deleted. Expected: task_state null. Actual: task_state deleting',
    outcome: 'terminal',
    code: 409,
  },
  {
    error: new TaskTimedOut({ task: 'spawning', host: 'node-1', seconds: 1800 }),
    message:
      "Task 'spawning' made no progress on node-1 for 1800 s; see the log of that service for this request",
    outcome: 'terminal',
    code: 504,
  },
  {
    error: new KubernetesUnavailable({ reason: 'connection refused' }),
    message: 'The Kubernetes API could not be used: connection refused',
    outcome: 'retry',
    code: 503,
  },
  {
    error: new ServiceStopping({ service: 'nova-compute on node-1' }),
    message: 'nova-compute on node-1 was stopped before it had finished',
    outcome: 'retry',
    code: 503,
  },
  {
    error: new Forbidden({ reason: 'not yours' }),
    message: 'Not allowed: not yours',
    outcome: 'terminal',
    code: 403,
  },
  {
    error: new PolicyNotAuthorized({ policy: 'unlock_override', reason: 'Ask an administrator.' }),
    message: "Policy doesn't allow unlock_override to be performed. Ask an administrator.",
    outcome: 'terminal',
    code: 403,
  },
]

describe.each(CASES)('$error.name', ({ error, message, outcome, code }) => {
  it('says what happened, what to do next, and the code Nova would answer', () => {
    expect(error).toMatchObject({ message, outcome, code, name: error.constructor.name })
  })

  it('is made again from its details alone, as they come out of JSON', () => {
    const again = Reflect.construct(error.constructor, [JSON.parse(JSON.stringify(error.details))])
    expect(again).toEqual(error)
  })
})

it('every class of ours is in the table above', () => {
  const isOurs = (value: unknown): boolean =>
    typeof value === 'function' && value.prototype instanceof NovaError
  const names = Object.entries(errors).flatMap(([name, value]) => (isOurs(value) ? [name] : []))
  expect(CASES.map(({ error }) => error.name).sort()).toEqual(names.sort())
})

it('an error keeps its cause', () => {
  const cause = new Error('socket hang up')
  expect(new KubernetesUnavailable({ reason: 'x' }, { cause }).cause).toBe(cause)
})

it.each([
  { thrown: new Error('no'), want: 'no' },
  { thrown: 'no', want: 'no' },
  { thrown: undefined, want: 'undefined' },
])('a thrown $thrown says $want', ({ thrown, want }) => {
  expect(messageOf(thrown)).toBe(want)
})
