import { describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { VM_STATES } from '../apis/v1alpha1/states.ts'
import { bookingsOf } from './bookings.ts'
import type { MigrationState } from './instance-update.ts'

const HERE = 'node-1'
const THERE = 'node-2'
const SMALL = { name: 'm1.small', vcpus: 1, memoryMb: 512, diskGb: 1 }
const BIG = { name: 'm1.big', vcpus: 4, memoryMb: 2048, diskGb: 10 }

type Status = Omit<InstanceStatus, 'migration'> & { readonly migration?: MigrationState }

function move(fields: Partial<MigrationState> = {}): MigrationState {
  return { type: 'migration', status: 'accepted', oldVmState: 'active', sourceHost: HERE, ...fields }
}
const resize = (fields: Partial<MigrationState> = {}): MigrationState =>
  move({ type: 'resize', oldFlavor: SMALL, newFlavor: BIG, ...fields })

describe('an instance books', () => {
  it.each<{ what: string; status: Status; want: readonly object[] }>([
    { what: 'nothing before it is bound', status: { vmState: 'building' }, want: [] },
    {
      what: 'nothing while it is no host’s although it was built before',
      status: { vmState: 'shelved_offloaded', flavor: SMALL },
      want: [],
    },
    {
      what: 'its host and its destination, while it goes there',
      status: { vmState: 'active', host: HERE, flavor: SMALL, migration: move({ destHost: THERE }) },
      want: [
        { host: HERE, flavor: SMALL },
        { host: THERE, flavor: SMALL },
      ],
    },
    {
      what: 'its host alone, before a destination is chosen',
      status: { vmState: 'active', host: HERE, flavor: SMALL, migration: resize() },
      want: [{ host: HERE, flavor: SMALL }],
    },
    {
      what: 'the new size where it goes to',
      status: { vmState: 'active', host: HERE, flavor: SMALL, migration: resize({ destHost: THERE }) },
      want: [
        { host: HERE, flavor: SMALL },
        { host: THERE, flavor: BIG },
      ],
    },
    {
      what: 'the old size where it came from, until that is confirmed',
      status: {
        vmState: 'resized',
        host: THERE,
        flavor: BIG,
        migration: resize({ status: 'finished', destHost: THERE }),
      },
      want: [
        { host: THERE, flavor: BIG },
        { host: HERE, flavor: SMALL },
      ],
    },
    {
      what: 'both ends while it goes back',
      status: {
        vmState: 'resized',
        host: HERE,
        flavor: SMALL,
        migration: resize({ status: 'reverting', destHost: THERE }),
      },
      want: [
        { host: HERE, flavor: SMALL },
        { host: THERE, flavor: BIG },
      ],
    },
    {
      what: 'nothing when it is deleted, wherever it was going',
      status: { vmState: 'deleted', host: HERE, flavor: SMALL, migration: resize({ destHost: THERE }) },
      want: [],
    },
  ])('$what', ({ status, want }) => {
    expect(bookingsOf({ status })).toEqual(want)
  })

  it.each(VM_STATES)('its host once while it is %s and stays, unless it is deleted', (vmState) => {
    const booked = bookingsOf({ status: { vmState, host: HERE, flavor: SMALL } })
    expect(booked).toEqual(vmState === 'deleted' ? [] : [{ host: HERE, flavor: SMALL }])
  })
})
