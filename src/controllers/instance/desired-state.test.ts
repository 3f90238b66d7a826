import { describe, expect, it } from 'vitest'
import type { InstanceSpecPowerState, InstanceStatus } from '../../apis/v1alpha1/instance.ts'
import type { VmState } from '../../apis/v1alpha1/states.ts'
import { makeInstance } from '../../testing/builders.ts'
import { wantedOperation } from './power.ts'
import { specRequestId } from './request.ts'

function wanted(
  powerState: InstanceSpecPowerState,
  status: InstanceStatus,
  generation = 2,
): string | undefined {
  return wantedOperation(
    makeInstance({ generation, spec: { powerState }, status: { host: 'node-1', ...status } }),
  )
}

const TABLE: readonly (readonly [VmState, 'start' | undefined, 'stop' | undefined])[] = [
  // vm_state, wanted when it is to run, wanted when it is to be shut off
  ['building', undefined, undefined],
  ['active', undefined, 'stop'],
  ['stopped', 'start', undefined],
  ['paused', undefined, undefined],
  ['suspended', undefined, undefined],
  ['error', undefined, 'stop'],
  ['deleted', undefined, undefined],
]

describe('what a spec asks for', () => {
  it.each(TABLE)(
    'of an instance that is %s: to run is %s, to be shut off is %s',
    (vmState, toRun, toShutDown) => {
      expect([wanted('Running', { vmState }), wanted('Shutdown', { vmState })]).toEqual([toRun, toShutDown])
    },
  )

  it.each(['active', 'stopped', 'error'] as const)(
    'is nothing while an operation is in flight (%s)',
    (vmState) => {
      const status = { vmState, taskState: 'deleting' } as const
      expect([wanted('Running', status), wanted('Shutdown', status)]).toEqual([undefined, undefined])
    },
  )

  it('is not asked for again by itself once it failed', () => {
    const requestId = specRequestId(makeInstance({ generation: 2 }))
    const fault = { code: 500, message: 'no', requestId, created: '2026-01-01T00:00:00Z' }
    expect(wanted('Shutdown', { vmState: 'active', fault })).toBeUndefined()
    expect(wanted('Running', { vmState: 'stopped', fault })).toBeUndefined()
    expect(wanted('Shutdown', { vmState: 'active', fault }, 3)).toBe('stop')
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
