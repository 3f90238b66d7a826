import { describe, expect, it } from 'vitest'
import type { PowerState, TaskState, VmState } from '../apis/v1alpha1/states.ts'
import { decidePowerSync } from './power-sync-decision.ts'

const POWERS: readonly PowerState[] = ['RUNNING', 'PAUSED', 'SUSPENDED', 'SHUTDOWN', 'CRASHED', 'NOSTATE']

/** Nova's `_sync_instance_power_state`, a column for each of POWERS. */
const TABLE: Readonly<Record<VmState, readonly ('-' | 'warn' | 'stop' | 'force-off')[]>> = {
  active: ['-', 'warn', 'stop', 'stop', 'stop', 'warn'],
  stopped: ['force-off', 'force-off', 'force-off', '-', '-', '-'],
  paused: ['-', '-', '-', 'force-off', 'force-off', '-'],
  deleted: ['warn', 'warn', 'warn', '-', 'warn', '-'],
  building: ['-', '-', '-', '-', '-', '-'],
  suspended: ['-', '-', '-', '-', '-', '-'],
  error: ['-', '-', '-', '-', '-', '-'],
}

const CELLS = Object.entries(TABLE).flatMap(([vmState, row]) =>
  row.map((want, n) => ({ vmState: vmState as VmState, real: POWERS[n] ?? 'NOSTATE', want })),
)

describe('an instance whose guest’s real power is looked at', () => {
  it.each(CELLS)('$vmState and $real: $want', ({ vmState, real, want }) => {
    expect(decidePowerSync(vmState, undefined, real).act).toBe(want === '-' ? 'nothing' : want)
  })

  it.each<TaskState>(['scheduling', 'spawning', 'powering-off', 'powering-on', 'deleting'])(
    'is left alone while it is %s, whatever its state and power',
    (task) => {
      for (const { vmState, real } of CELLS) {
        expect(decidePowerSync(vmState, task, real)).toEqual({ act: 'nothing' })
      }
    },
  )

  it('says in a warning what is wrong', () => {
    expect(decidePowerSync('active', undefined, 'NOSTATE')).toEqual({
      act: 'warn',
      reason: 'the guest is gone and its instance is active',
    })
  })
})
