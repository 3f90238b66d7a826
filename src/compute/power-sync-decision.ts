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
  switch (vmState) {
    case 'active':
      return whenActive(real)
    case 'stopped':
      return isThere(real) ? { act: 'force-off' } : NOTHING
    case 'paused':
      return real === 'SHUTDOWN' || real === 'CRASHED' ? { act: 'stop' } : NOTHING
    case 'soft-delete':
    case 'deleted':
      return isThere(real) || real === 'CRASHED'
        ? { act: 'warn', reason: 'the guest of a deleted instance is still there' }
        : NOTHING
    case 'building':
    case 'suspended':
    case 'rescued':
    case 'resized':
    case 'shelved':
    case 'shelved_offloaded':
    case 'error':
      return NOTHING
  }
}

/** Whether a guest has its memory on the host, running or not. */
function isThere(real: PowerState): boolean {
  return real === 'RUNNING' || real === 'PAUSED' || real === 'SUSPENDED'
}

function whenActive(real: PowerState): PowerSyncDecision {
  switch (real) {
    case 'RUNNING':
      return NOTHING
    case 'SHUTDOWN':
    case 'CRASHED':
    case 'SUSPENDED':
      return { act: 'stop' }
    case 'PAUSED':
      return { act: 'warn', reason: 'the guest is paused and its instance is not' }
    case 'NOSTATE':
      return { act: 'tell' }
  }
}
