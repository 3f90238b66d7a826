import { describe, expect, it } from 'vitest'
import type {
  StateChangeRequest,
  VirtualMachine,
  VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { stepOf, trimmed } from './run-strategy.ts'

const START: StateChangeRequest = { action: 'Start' }
const STOP: StateChangeRequest = { action: 'Stop', uid: 'vmi-1' }
const STOP_OTHER: StateChangeRequest = { action: 'Stop', uid: 'vmi-0' }

function makeVm(
  runStrategy: string,
  requests: readonly StateChangeRequest[] = [],
  printableStatus?: string,
): VirtualMachine {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'web' },
    spec: { runStrategy, template: { spec: { domain: { devices: {} } } } },
    status: { stateChangeRequests: requests, ...(printableStatus !== undefined && { printableStatus }) },
  }
}

/** A VMI by its phase; `deleting` is one that runs and is being stopped. */
function makeVmi(phase: string): VirtualMachineInstance {
  const isDeleting = phase === 'deleting'
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name: 'web', uid: 'vmi-1', ...(isDeleting && { deletionTimestamp: 'now' }) },
    spec: { domain: { devices: {} } },
    status: { phase: isDeleting ? 'Running' : phase },
  }
}

describe('trimmed', () => {
  it.each([
    { requests: [START], phase: undefined, want: [START] },
    { requests: [START], phase: 'Pending', want: [] },
    { requests: [START], phase: 'Running', want: [] },
    { requests: [START], phase: 'deleting', want: [START] },
    { requests: [START], phase: 'Failed', want: [START] },
    { requests: [STOP], phase: 'Running', want: [STOP] },
    { requests: [STOP], phase: undefined, want: [] },
    { requests: [STOP_OTHER], phase: 'Running', want: [] },
    { requests: [STOP, START], phase: 'Failed', want: [STOP, START] },
    { requests: [STOP, START], phase: undefined, want: [START] },
  ])('leaves $want of $requests while the VMI is $phase', ({ requests, phase, want }) => {
    const vmi = phase === undefined ? undefined : makeVmi(phase)

    expect(trimmed(makeVm('Manual', requests), vmi)).toEqual(want)
  })
})

describe('stepOf', () => {
  it.each([
    { strategy: 'Manual', phase: undefined, requests: [], want: 'nothing' },
    { strategy: 'Manual', phase: undefined, requests: [START], want: 'start' },
    { strategy: 'Manual', phase: 'Running', requests: [STOP], want: 'stop' },
    { strategy: 'Manual', phase: 'Succeeded', requests: [], want: 'nothing' },
    { strategy: 'Manual', phase: 'Failed', requests: [START], want: 'nothing' },
    { strategy: 'Manual', phase: 'Failed', requests: [STOP, START], want: 'stop' },
    { strategy: 'Always', phase: undefined, requests: [], want: 'start' },
    { strategy: 'Always', phase: 'Running', requests: [], want: 'nothing' },
    { strategy: 'Always', phase: 'Succeeded', requests: [], want: 'stop' },
    { strategy: 'Always', phase: 'Running', requests: [STOP], want: 'stop' },
    { strategy: 'Halted', phase: 'Running', requests: [], want: 'stop' },
    { strategy: 'Halted', phase: undefined, requests: [], want: 'nothing' },
    { strategy: 'Once', phase: undefined, requests: [], want: 'start' },
    { strategy: 'Once', phase: 'Failed', requests: [], want: 'nothing' },
    { strategy: 'RerunOnFailure', phase: undefined, requests: [], want: 'start' },
    { strategy: 'RerunOnFailure', phase: 'Failed', requests: [], want: 'stop' },
  ])('$strategy, VMI $phase, requests $requests: $want', ({ strategy, phase, requests, want }) => {
    const vmi = phase === undefined ? undefined : makeVmi(phase)

    expect(stepOf(makeVm(strategy, requests), vmi, requests)).toBe(want)
  })

  it('does not start a RerunOnFailure VM again that was stopped', () => {
    expect(stepOf(makeVm('RerunOnFailure', [], 'Stopped'), undefined, [])).toBe('nothing')
  })
})
