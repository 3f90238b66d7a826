import { describe, expect, it } from 'vitest'
import type { InstanceSpec, InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { makeInstance } from '../testing/builders.ts'
import { specToFollow } from './spec-to-follow.ts'

const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const BACK = {
  vmState: 'resized',
  taskState: 'resize_reverting',
  migration: { type: 'resize', status: 'finished', oldVmState: 'active', oldFlavor: SMALL },
} as const

describe('the spec that goes with an operation', () => {
  it.each<{
    what: string
    spec?: Partial<InstanceSpec>
    status: InstanceStatus
    want: Partial<InstanceSpec> | undefined
  }>([
    {
      what: 'runs after a hard reboot',
      spec: { powerState: 'Shutdown' },
      status: { vmState: 'stopped', taskState: 'rebooting_hard' },
      want: { powerState: 'Running' },
    },
    {
      what: 'is not changed by a hard reboot where it runs',
      status: { vmState: 'active', taskState: 'rebooting_hard' },
      want: undefined,
    },
    {
      what: 'is not changed by a soft reboot',
      spec: { powerState: 'Shutdown' },
      status: { vmState: 'active', taskState: 'rebooting' },
      want: undefined,
    },
    {
      what: 'has its flavor back after a revert',
      spec: { flavor: 'm1.big' },
      status: BACK,
      want: { flavor: 'm1.tiny' },
    },
    { what: 'has its flavor already', status: BACK, want: undefined },
    {
      what: 'keeps its flavor when a migration goes back',
      spec: { flavor: 'm1.big' },
      status: { ...BACK, migration: { type: 'migration', status: 'finished', oldVmState: 'active' } },
      want: undefined,
    },
    {
      what: 'keeps the new flavor when a resize is confirmed',
      spec: { flavor: 'm1.big' },
      status: { ...BACK, taskState: 'resize_confirming' },
      want: undefined,
    },
    {
      what: 'has the image of a rebuild',
      status: { vmState: 'active', taskState: 'rebuilding', image: 'debian' },
      want: { image: 'debian' },
    },
    {
      what: 'has the image of a rebuild already',
      spec: { image: 'debian' },
      status: { vmState: 'active', taskState: 'rebuilding', image: 'debian' },
      want: undefined,
    },
    { what: 'is what it is where nothing was rebuilt', status: { vmState: 'active' }, want: undefined },
  ])('$what', ({ spec, status, want }) => {
    expect(specToFollow(makeInstance({ ...(spec && { spec }), status }))).toEqual(want)
  })
})
