import { describe, expect, it } from 'vitest'
import { buildProgressOf } from './build-progress.ts'
import { addressesOf, type Machine, powerStateOf } from './power-state.ts'
import type {
  Condition,
  StateChangeRequest,
  VirtualMachine,
  VirtualMachineInstance,
  VirtualMachineInstanceStatus,
  VirtualMachineStatus,
} from './resources.ts'

function makeVm(status: VirtualMachineStatus = {}, deletionTimestamp?: string): VirtualMachine {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'web', ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
    spec: { template: { spec: { domain: { devices: {} } } } },
    status,
  }
}

function makeVmi(status: VirtualMachineInstanceStatus, deletionTimestamp?: string): VirtualMachineInstance {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name: 'web', uid: 'vmi-1', ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
    spec: { domain: { devices: {} } },
    status,
  }
}

const NOW = '2026-11-22T08:00:00Z'
const START: StateChangeRequest = { action: 'Start' }
const PAUSED: Condition = { type: 'Paused', status: 'True' }
const NODE_GONE: Condition = { type: 'Ready', status: 'False', reason: 'NodeNotReady' }
const RAN = [{ phase: 'Running', phaseTransitionTimestamp: NOW }]

describe('powerStateOf', () => {
  it.each<{ name: string; machine: Machine; want: string }>([
    { name: 'nothing is there', machine: {}, want: 'NOSTATE' },
    { name: 'there is no VMI', machine: { vm: makeVm() }, want: 'SHUTDOWN' },
    {
      name: 'a start is pending',
      machine: { vm: makeVm({ stateChangeRequests: [START] }) },
      want: 'NOSTATE',
    },
    {
      name: 'a restart is pending and the old VMI has failed',
      machine: {
        vm: makeVm({ stateChangeRequests: [{ action: 'Stop', uid: 'vmi-1' }, START] }),
        vmi: makeVmi({ phase: 'Failed' }),
      },
      want: 'NOSTATE',
    },
    {
      name: 'a start is still listed while it runs',
      machine: { vm: makeVm({ stateChangeRequests: [START] }), vmi: makeVmi({ phase: 'Running' }) },
      want: 'RUNNING',
    },
    ...['Pending', 'Scheduling', 'Scheduled', 'Unknown', undefined].map((phase) => ({
      name: `its phase is ${phase}`,
      machine: { vm: makeVm(), vmi: makeVmi(phase === undefined ? {} : { phase }) },
      want: 'NOSTATE',
    })),
    { name: 'it runs', machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Running' }) }, want: 'RUNNING' },
    {
      name: 'it runs and is shutting down',
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Running' }, NOW) },
      want: 'RUNNING',
    },
    // Whoever did it: its CPUs stand still, as Nova's libvirt driver has it.
    ...['PausedByUser', 'PausedIOError', 'PausedByMigrationMonitor'].map((reason) => ({
      name: `it is paused (${reason})`,
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Running', conditions: [{ ...PAUSED, reason }] }) },
      want: 'PAUSED',
    })),
    {
      name: 'its node does not report, whatever printableStatus says',
      machine: {
        vm: makeVm({ printableStatus: 'Running' }),
        vmi: makeVmi({ phase: 'Running', conditions: [NODE_GONE] }),
      },
      want: 'NOSTATE',
    },
    {
      name: 'it shut itself down',
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Succeeded' }) },
      want: 'SHUTDOWN',
    },
    {
      name: 'it crashed, though printableStatus says Stopped',
      machine: { vm: makeVm({ printableStatus: 'Stopped' }), vmi: makeVmi({ phase: 'Failed' }) },
      want: 'CRASHED',
    },
    {
      name: 'it was killed by our own stop',
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Failed' }, NOW) },
      want: 'SHUTDOWN',
    },
  ])('is $want when $name', ({ machine, want }) => {
    expect(powerStateOf(machine)).toBe(want)
  })
})

describe('addressesOf', () => {
  it.each([
    { interfaces: undefined, want: [] },
    { interfaces: [{ name: 'default' }], want: [] },
    { interfaces: [{ ipAddress: '10.0.0.1' }], want: [{ address: '10.0.0.1' }] },
    {
      interfaces: [
        { name: 'default', mac: '02:00', ipAddress: '10.0.0.1', ipAddresses: ['10.0.0.1', 'fd00::1'] },
      ],
      want: [
        { address: '10.0.0.1', network: 'default', macAddress: '02:00' },
        { address: 'fd00::1', network: 'default', macAddress: '02:00' },
      ],
    },
  ])('reads $interfaces', ({ interfaces, want }) => {
    const vmi = makeVmi({ phase: 'Running', ...(interfaces && { interfaces }) })

    expect(addressesOf({ vm: makeVm(), vmi })).toEqual(want)
  })

  it('knows none of a guest that does not run', () => {
    const vmi = makeVmi({ phase: 'Succeeded', interfaces: [{ ipAddress: '10.0.0.1' }] })

    expect(addressesOf({ vm: makeVm(), vmi })).toEqual([])
  })
})

describe('buildProgressOf', () => {
  const failure = (reason: string, message: string): Condition => ({
    type: 'Failure',
    status: 'True',
    reason,
    message,
  })
  const waiting = (kind: string, blame: string) => ({ state: 'waiting', obstacle: { kind, blame } })

  it.each<{ name: string; machine: Machine; want: object }>([
    { name: 'nothing is known yet', machine: { vm: makeVm() }, want: { state: 'waiting' } },
    {
      name: 'it runs',
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Running' }) },
      want: { state: 'built' },
    },
    {
      name: 'it ran and shut itself down',
      machine: {
        vm: makeVm(),
        vmi: makeVmi({ phase: 'Succeeded', phaseTransitionTimestamps: RAN }),
      },
      want: { state: 'built' },
    },
    {
      name: 'it ended before it ran',
      machine: { vm: makeVm(), vmi: makeVmi({ phase: 'Failed', conditions: [NODE_GONE] }) },
      want: {
        state: 'failed',
        failure: { blame: 'host', reason: 'the guest ended before it ran (NodeNotReady)' },
      },
    },
    {
      name: 'the VM is gone',
      machine: {},
      want: { state: 'failed', failure: { blame: 'host' } },
    },
    {
      name: 'the VM is being deleted',
      machine: { vm: makeVm({}, NOW) },
      want: { state: 'failed', failure: { blame: 'host' } },
    },
    {
      name: 'a webhook refused it',
      machine: {
        vm: makeVm({
          conditions: [
            failure('FailedCreate', 'admission webhook "x" denied the request: no memory requested'),
          ],
        }),
      },
      want: { state: 'failed', failure: { blame: 'abort' } },
    },
    {
      name: 'a webhook could not be asked',
      machine: {
        vm: makeVm({ conditions: [failure('FailedCreate', 'failed calling webhook "x": refused')] }),
      },
      want: waiting('FailedCreate', 'host'),
    },
    {
      name: 'its Pod fits nowhere',
      machine: {
        vm: makeVm(),
        vmi: makeVmi({
          phase: 'Scheduling',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3' }],
        }),
      },
      want: {
        state: 'waiting',
        obstacle: { kind: 'ErrorUnschedulable', reason: 'its launcher Pod cannot be scheduled: 0/3' },
      },
    },
    {
      name: 'its image cannot be pulled',
      machine: {
        vm: makeVm(),
        vmi: makeVmi({
          phase: 'Scheduling',
          conditions: [{ type: 'Synchronized', status: 'False', reason: 'ErrImagePull' }],
        }),
      },
      want: waiting('ErrImagePull', 'host'),
    },
    ...(
      [
        ['ErrorUnschedulable', 'host'],
        ['ErrImagePull', 'host'],
        ['ImagePullBackOff', 'host'],
        ['ErrorPvcNotFound', 'abort'],
        ['DataVolumeError', 'abort'],
      ] as const
    ).map(([printableStatus, blame]) => ({
      name: `the VM says ${printableStatus}`,
      machine: { vm: makeVm({ printableStatus }) },
      want: waiting(printableStatus, blame),
    })),
    {
      name: 'it failed before KubeVirt took the start off its list',
      machine: { vm: makeVm({ stateChangeRequests: [START] }), vmi: makeVmi({ phase: 'Failed' }) },
      want: { state: 'failed', failure: { blame: 'host' } },
    },
    {
      name: 'a start is pending after a failure',
      machine: {
        vm: makeVm({ stateChangeRequests: [{ action: 'Stop', uid: 'vmi-1' }, START] }),
        vmi: makeVmi({ phase: 'Failed' }),
      },
      want: { state: 'waiting' },
    },
  ])('answers when $name', ({ machine, want }) => {
    expect(buildProgressOf(machine)).toMatchObject(want)
  })
})
