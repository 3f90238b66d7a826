import { z } from 'zod'
import type { Instance, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import type { TaskState, VmState } from '../apis/v1alpha1/states.ts'
import {
  UnexpectedDeletingTaskStateError,
  UnexpectedTaskStateError,
} from '../common/errors/instance-state.ts'
import { lockedBy, type MigrationState, taskState, vmState } from './instance-update.ts'

/**
 * What the instance must be for the change to be made: the compare in compare-and-swap. Nova's
 * `Instance.save(expected_task_state=…)`, with the claim (host and attempt) beside it.
 */
export const expectedState = z.object({
  vmState: z.array(vmState).optional(),
  /** `null` stands for no task. */
  taskState: z.array(taskState.nullable()).optional(),
  /** `null` stands for no host. */
  host: z.string().nullable().optional(),
  attempt: z.int().optional(),
  requestId: z.string().optional(),
  /** `null` stands for not locked. */
  lockedBy: lockedBy.nullable().optional(),
  /** A host that the instance is on, comes from or goes to. */
  involves: z.string().optional(),
})
export type ExpectedState = z.infer<typeof expectedState>

/** What of an instance an expectation is about, whoever tells of it. */
export interface ObservedState {
  readonly uid: string
  readonly vmState?: VmState | undefined
  readonly taskState?: TaskState | undefined
  readonly host?: string | undefined
  readonly attempt?: number | undefined
  readonly requestId?: string | undefined
  readonly lockedBy?: InstanceStatus['lockedBy']
  readonly migration?: MigrationState | undefined
  readonly deleting: boolean
}

/** The hosts that have a say in an instance: the one it is on, and where it comes from and goes to. */
export function hostsOf({
  host,
  migration: moving,
}: Pick<ObservedState, 'host' | 'migration'>): readonly string[] {
  return [host, moving?.sourceHost, moving?.destHost].filter((one) => one !== undefined)
}

/** {@link checkObserved}, of a resource. */
export function checkExpected({ status, metadata }: Instance, expected: ExpectedState): void {
  const { vmState: vm, taskState: task, host, attempt, requestId, lockedBy: by, migration: moving } = status
  const uid = metadata.uid ?? metadata.name
  const deleting = metadata.deletionTimestamp !== undefined
  checkObserved(
    {
      uid,
      vmState: vm,
      taskState: task,
      host,
      attempt,
      requestId,
      lockedBy: by,
      migration: moving,
      deleting,
    },
    expected,
  )
}

/**
 * Checks what a change expects.
 * @throws UnexpectedDeletingTaskStateError when it is not so because the instance is being deleted
 * @throws UnexpectedTaskStateError when it is not so otherwise
 */
export function checkObserved(actual: ObservedState, expected: ExpectedState): void {
  const wrong = [
    mismatch('vm_state', expected.vmState, actual.vmState),
    mismatch('task_state', expected.taskState, actual.taskState ?? null),
    mismatch('host', oneOf(expected.host), actual.host ?? null),
    mismatch('attempt', oneOf(expected.attempt), actual.attempt ?? 0),
    mismatch('request', oneOf(expected.requestId), actual.requestId),
    mismatch('locked_by', oneOf(expected.lockedBy), actual.lockedBy ?? null),
    expected.involves === undefined || hostsOf(actual).includes(expected.involves)
      ? undefined
      : { expected: `host ${expected.involves}`, actual: `host ${actual.host ?? null}` },
  ].find((one) => one !== undefined)
  if (!wrong) return
  const details = { instance: actual.uid, ...wrong }
  if (actual.taskState === 'deleting' || actual.deleting) {
    throw new UnexpectedDeletingTaskStateError(details)
  }
  throw new UnexpectedTaskStateError(details)
}

function oneOf<T>(expected: T | undefined): readonly T[] | undefined {
  return expected === undefined ? undefined : [expected]
}

function mismatch<T>(
  attr: string,
  allowed: readonly T[] | undefined,
  actual: T | undefined,
): { expected: string; actual: string } | undefined {
  if (!allowed || allowed.some((one) => one === actual)) return undefined
  return {
    expected: `${attr} ${allowed.map(String).join(' or ')}`,
    actual: `${attr} ${String(actual ?? null)}`,
  }
}
