import { describe, expect, it } from 'vitest'
import type { InstanceSpecPowerState, InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import type { OperationName } from '../../apis/v1alpha1/operations.ts'
import { TASK_STATES, VM_STATES, type VmState } from '../../apis/v1alpha1/states.ts'
import { makeInstance } from '../../testing/builders.ts'
import { wantedOperation } from './desired-state.ts'

const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const BIG = { ...SMALL, name: 'm1.big' }

function wanted(
  powerState: InstanceSpecPowerState,
  status: InstanceStatus,
  generation = 2,
): OperationName | undefined {
  return wantedOperation(
    makeInstance({ generation, spec: { powerState }, status: { host: 'node-1', ...status } }),
  )
}

const POWERS = ['Running', 'Shutdown', 'Paused', 'Suspended'] as const
type Row = readonly (OperationName | '-')[]

/** What each of POWERS asks for. */
const TABLE: Readonly<Record<VmState, Row>> = {
  building: ['-', '-', '-', '-'],
  active: ['-', 'stop', 'pause', 'suspend'],
  stopped: ['start', '-', '-', '-'],
  paused: ['unpause', '-', '-', '-'],
  suspended: ['resume', '-', '-', '-'],
  rescued: ['-', '-', '-', '-'],
  resized: ['-', '-', '-', '-'],
  shelved: ['-', '-', '-', '-'],
  shelved_offloaded: ['-', '-', '-', '-'],
  'soft-delete': ['-', '-', '-', '-'],
  error: ['-', 'stop', '-', '-'],
  deleted: ['-', '-', '-', '-'],
}

function rowOf(of: (powerState: InstanceSpecPowerState) => OperationName | undefined): Row {
  return POWERS.map((powerState) => of(powerState) ?? '-')
}

describe('what a spec asks for', () => {
  it.each(Object.entries(TABLE) as [VmState, Row][])('of an instance that is %s', (vmState, row) => {
    expect(rowOf((powerState) => wanted(powerState, { vmState }))).toEqual(row)
  })

  it.each(TASK_STATES)('is nothing while it is %s', (taskState) => {
    for (const vmState of VM_STATES) {
      expect(rowOf((powerState) => wanted(powerState, { vmState, taskState }))).toEqual(['-', '-', '-', '-'])
    }
  })

  it.each(['SHUTDOWN', 'CRASHED'] as const)('of a paused one whose guest is %s is a stop', (powerState) => {
    expect(wanted('Shutdown', { vmState: 'paused', powerState })).toBe('stop')
  })

  it('is not asked for again by itself once it failed, also when the fault is forgotten', () => {
    const failedGeneration = 2
    for (const vmState of VM_STATES) {
      const status = { vmState, failedGeneration }
      expect(rowOf((powerState) => wanted(powerState, status))).toEqual(['-', '-', '-', '-'])
      expect(wanted('Shutdown', status, 3)).toBe(wanted('Shutdown', { vmState }, 3))
    }
    expect(wanted('Shutdown', { vmState: 'active', failedGeneration }, 3)).toBe('stop')
  })

  it('of an instance in error is news only once, and never where it has no host', () => {
    expect(wanted('Shutdown', { vmState: 'error', observedGeneration: 1 })).toBe('stop')
    expect(wanted('Shutdown', { vmState: 'error', observedGeneration: 2 })).toBeUndefined()
    const bare = makeInstance({
      generation: 2,
      spec: { powerState: 'Shutdown' },
      status: { vmState: 'error' },
    })
    expect(wantedOperation(bare)).toBeUndefined()
  })

  it('is done although the generation was noted before: an instance created to be off is launched first', () => {
    expect(wanted('Shutdown', { vmState: 'active', observedGeneration: 1 }, 1)).toBe('stop')
  })
})

describe('another flavor', () => {
  it.each(VM_STATES)('of an instance that is %s', (vmState) => {
    const powerState = vmState === 'stopped' ? 'Shutdown' : 'Running'
    const instance = makeInstance({
      generation: 2,
      spec: { flavor: 'm1.big', powerState },
      status: { vmState, host: 'node-1', flavor: SMALL },
    })
    const canResize = vmState === 'active' || vmState === 'stopped'
    const other = vmState === 'paused' ? 'unpause' : vmState === 'suspended' ? 'resume' : undefined
    expect(wantedOperation(instance)).toBe(canResize ? 'resize' : other)
  })

  it('comes after what is wanted of its power', () => {
    const status = { vmState: 'active', host: 'node-1', flavor: SMALL } as const
    const spec = { flavor: 'm1.big', powerState: 'Shutdown' } as const
    expect(wantedOperation(makeInstance({ generation: 2, spec, status }))).toBe('stop')
  })

  it('is the one it has, or not known yet', () => {
    const spec = { flavor: 'm1.big' }
    const status = { vmState: 'active', host: 'node-1' } as const
    expect(wantedOperation(makeInstance({ spec, status: { ...status, flavor: BIG } }))).toBeUndefined()
    expect(wantedOperation(makeInstance({ spec, status }))).toBeUndefined()
  })

  it('that could not be had is not tried again by itself', () => {
    const status = { vmState: 'active', host: 'node-1', flavor: SMALL, failedGeneration: 2 } as const
    const spec = { flavor: 'm1.big' }
    expect(wantedOperation(makeInstance({ generation: 2, spec, status }))).toBeUndefined()
    expect(wantedOperation(makeInstance({ generation: 3, spec, status }))).toBe('resize')
  })
})
