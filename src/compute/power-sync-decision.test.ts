import { describe, expect, it } from 'vitest'
import { type PowerState, TASK_STATES, type VmState } from '../apis/v1alpha1/states.ts'
import { decidePowerSync } from './power-sync-decision.ts'

const POWERS: readonly PowerState[] = ['RUNNING', 'PAUSED', 'SUSPENDED', 'SHUTDOWN', 'CRASHED', 'NOSTATE']

type Act = '-' | 'warn' | 'stop' | 'force-off' | 'tell'

/**
 * Nova's `_sync_instance_power_state`, a column for each of POWERS. Ours alone: a guest that is gone is told of, where Nova only
 * warns. Nova's force_stop of a paused instance is a stop, which is let through as its guest is off.
 */
const TABLE: Readonly<Record<VmState, readonly Act[]>> = {
  active: ['-', 'warn', 'stop', 'stop', 'stop', 'tell'],
  stopped: ['force-off', 'force-off', 'force-off', '-', '-', '-'],
  paused: ['-', '-', '-', 'stop', 'stop', '-'],
  'soft-delete': ['warn', 'warn', 'warn', '-', 'warn', '-'],
  deleted: ['warn', 'warn', 'warn', '-', 'warn', '-'],
  building: ['-', '-', '-', '-', '-', '-'],
  rescued: ['-', '-', '-', '-', '-', '-'],
  resized: ['-', '-', '-', '-', '-', '-'],
  suspended: ['-', '-', '-', '-', '-', '-'],
  shelved: ['-', '-', '-', '-', '-', '-'],
  shelved_offloaded: ['-', '-', '-', '-', '-', '-'],
  error: ['-', '-', '-', '-', '-', '-'],
}

const CELLS = Object.entries(TABLE).flatMap(([vmState, row]) =>
  row.map((want, n) => ({ vmState: vmState as VmState, real: POWERS[n] ?? 'NOSTATE', want })),
)

describe('an instance whose guest’s real power is looked at', () => {
  it.each(CELLS)('$vmState and $real: $want', ({ vmState, real, want }) => {
    expect(decidePowerSync(vmState, undefined, real).act).toBe(want === '-' ? 'nothing' : want)
  })

  it.each(TASK_STATES)('is left alone while it is %s, whatever its state and power', (task) => {
    for (const { vmState, real } of CELLS) {
      expect(decidePowerSync(vmState, task, real)).toEqual({ act: 'nothing' })
    }
  })

  it.each<{ vmState: VmState; real: PowerState; reason: string }>([
    { vmState: 'active', real: 'PAUSED', reason: 'the guest is paused and its instance is not' },
    {
      vmState: 'soft-delete',
      real: 'RUNNING',
      reason: 'the guest of a deleted instance is still there',
    },
    { vmState: 'deleted', real: 'CRASHED', reason: 'the guest of a deleted instance is still there' },
  ])('says in a warning what is wrong: $reason', ({ vmState, real, reason }) => {
    expect(decidePowerSync(vmState, undefined, real)).toEqual({ act: 'warn', reason })
  })
})
