import type { PowerState, TaskState, VmState } from '../apis/v1alpha1/states.ts'

/** What to do about a guest whose power is not as its instance says. */
export type PowerSyncDecision =
  | { readonly act: 'nothing' }
  /** Say it in the log and leave it. */
  | { readonly act: 'warn'; readonly reason: string }
  /** Write down that the guest is gone. */
  | { readonly act: 'tell' }
  /** Ask the API for a stop, as an operation of its own. */
  | { readonly act: 'stop' }
  /** Force the guest off: it was started behind our back. */
  | { readonly act: 'force-off' }

const NOTHING: PowerSyncDecision = { act: 'nothing' }

/**
 * What follows from an instance's state and its guest's real power. The table of
 * nova.compute.manager `_sync_instance_power_state`, but for a guest that is gone: Nova only says so in its log.
 */
export function decidePowerSync(
  vmState: VmState,
  taskState: TaskState | undefined,
  real: PowerState,
): PowerSyncDecision {
  // An operation is in flight: its end sets the state.
  if (taskState !== undefined) return NOTHING
  return DECISIONS[vmState]?.[real] ?? NOTHING
}

const STOP: PowerSyncDecision = { act: 'stop' }
const FORCE_OFF: PowerSyncDecision = { act: 'force-off' }
const LEFT_OVER: PowerSyncDecision = {
  act: 'warn',
  reason: 'the guest of a deleted instance is still there',
}

/** By vm_state, and by what the guest really does; all else is as it should be, or nobody's concern. */
const DECISIONS: Readonly<
  Partial<Record<VmState, Readonly<Partial<Record<PowerState, PowerSyncDecision>>>>>
> = {
  active: {
    SHUTDOWN: STOP,
    CRASHED: STOP,
    SUSPENDED: STOP,
    PAUSED: { act: 'warn', reason: 'the guest is paused and its instance is not' },
    NOSTATE: { act: 'tell' },
  },
  stopped: { RUNNING: FORCE_OFF, PAUSED: FORCE_OFF, SUSPENDED: FORCE_OFF },
  paused: { SHUTDOWN: STOP, CRASHED: STOP },
  'soft-delete': { RUNNING: LEFT_OVER, PAUSED: LEFT_OVER, SUSPENDED: LEFT_OVER, CRASHED: LEFT_OVER },
  deleted: { RUNNING: LEFT_OVER, PAUSED: LEFT_OVER, SUSPENDED: LEFT_OVER, CRASHED: LEFT_OVER },
}
