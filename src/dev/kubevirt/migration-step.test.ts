import { describe, expect, it } from 'vitest'
import type {
  MigrationState,
  VirtualMachineInstanceMigration,
} from '../../virt/kubevirt/migration-resource.ts'
import type { VirtualMachineInstance } from '../../virt/kubevirt/resources.ts'
import { behaviourOf } from './behaviour.ts'
import { isMigrating, migrationStepOf, type MigrationStep, type MigrationView } from './migration-step.ts'

const ELSEWHERE = { node: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-2' } } } as const
const NOWHERE = { message: '0/2 nodes are available.' } as const
const OURS: MigrationState = { migrationUid: 'ours', sourceNode: 'node-1', targetNode: 'node-2' }

function makeMigration(phase?: string): VirtualMachineInstanceMigration {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: { namespace: 'default', name: 'move', uid: 'ours' },
    spec: { vmiName: 'web' },
    ...(phase !== undefined && { status: { phase } }),
  }
}

function makeVmi(migrationState?: MigrationState, phase = 'Running'): VirtualMachineInstance {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { namespace: 'default', name: 'web' },
    spec: { domain: { devices: {} } },
    status: { phase, nodeName: 'node-1', ...(migrationState && { migrationState }) },
  }
}

function stepOf(change: Partial<MigrationView>): MigrationStep {
  return migrationStepOf({
    migration: makeMigration('Scheduling'),
    vmi: makeVmi(),
    behaviour: behaviourOf({}),
    fit: ELSEWHERE,
    ageMs: 0,
    movingMs: 0,
    moveMs: 100,
    unschedulableMs: 300_000,
    ...change,
  })
}

const told = (word: string): MigrationView['behaviour'] =>
  behaviourOf({
    vmi: { ...makeVmi(), metadata: { name: 'web', annotations: { 'dev.kilonova/guest': word } } },
  })

describe('a migration', () => {
  it.each<{ what: string; view: Partial<MigrationView>; want: MigrationStep }>([
    { what: 'is accepted', view: { migration: makeMigration() }, want: { kind: 'accept' } },
    { what: 'goes to where its guest fits', view: {}, want: { kind: 'begin', target: 'node-2' } },
    {
      what: 'waits for a node for a while',
      view: { fit: NOWHERE, ageMs: 1_000 },
      want: { kind: 'wait', afterMs: 299_000 },
    },
    {
      what: 'fails when there is none',
      view: { fit: NOWHERE, ageMs: 300_000 },
      want: {
        kind: 'fail',
        reason:
          'unschedulable pod default/virt-launcher-web timeout period exceeded: 0/2 nodes are available.',
      },
    },
    {
      what: 'fails while another is under way',
      view: { vmi: makeVmi({ migrationUid: 'first', completed: false }) },
      want: {
        kind: 'fail',
        reason:
          'in-flight migration detected. Active migration job (first) is currently already in progress for VMI web.',
      },
    },
    {
      what: 'begins after an earlier one has ended',
      view: { vmi: makeVmi({ migrationUid: 'first', completed: true, failed: true }) },
      want: { kind: 'begin', target: 'node-2' },
    },
    {
      what: 'takes its time',
      view: { vmi: makeVmi(OURS), movingMs: 40 },
      want: { kind: 'wait', afterMs: 60 },
    },
    {
      what: 'arrives',
      view: { vmi: makeVmi(OURS), movingMs: 100 },
      want: { kind: 'arrive', target: 'node-2' },
    },
    {
      what: 'hangs when told so',
      view: { vmi: makeVmi(OURS), movingMs: 100, behaviour: told('migration-hangs') },
      want: { kind: 'wait' },
    },
    {
      what: 'fails when told so',
      view: { vmi: makeVmi(OURS), behaviour: told('migration-fails') },
      want: { kind: 'fail', reason: 'Live migration failed: the guest was told to fail it' },
    },
    {
      what: 'ends as its guest says',
      view: { vmi: makeVmi({ ...OURS, completed: true }) },
      want: { kind: 'end', state: { ...OURS, completed: true } },
    },
    ...[undefined, makeVmi(OURS, 'Succeeded'), makeVmi(OURS, 'Failed')].map((vmi) => ({
      what: `fails with its guest (${vmi?.status?.phase ?? 'gone'})`,
      view: { vmi },
      want: { kind: 'fail', reason: 'vmi does not exist or is in a final state' } as const,
    })),
    ...['Succeeded', 'Failed'].map((phase) => ({
      what: `stays ${phase}`,
      view: { migration: makeMigration(phase) },
      want: { kind: 'wait' } as const,
    })),
  ])('$what', ({ view, want }) => {
    expect(stepOf(view)).toEqual(want)
  })
})

it.each([
  { vmi: undefined, want: false },
  { vmi: makeVmi(), want: false },
  { vmi: makeVmi(OURS), want: true },
  { vmi: makeVmi({ ...OURS, completed: true }), want: false },
])('a guest is being moved: $want', ({ vmi, want }) => {
  expect(isMigrating(vmi)).toBe(want)
})
