import { describe, expect, it } from 'vitest'
import type { InstanceStatus, InstanceStatusCondition } from '../apis/v1alpha1/instance.ts'
import { makeImage, makeInstance, NEW_STATUS, UID } from '../testing/builders.ts'
import { toImageMeta } from './build-request.ts'
import type { InstanceUpdate } from './instance-update.ts'
import { toStatusPatch } from './status-patch.ts'

const NOW = '2026-11-22T06:20:11.123Z'
const BEFORE = '2026-11-22T06:00:00.000Z'
const SPAWNING: InstanceStatus = { vmState: 'building', taskState: 'spawning', host: 'node-1', attempt: 2 }
const MOVED: InstanceStatus = {
  vmState: 'resized',
  host: 'node-2',
  migration: {
    type: 'resize',
    status: 'finished',
    oldVmState: 'active',
    sourceHost: 'node-1',
    destHost: 'node-2',
  },
}

type Condition = InstanceStatusCondition

function makeCondition(fields: Partial<Condition> = {}): Condition {
  return {
    type: 'Ready',
    status: 'False',
    reason: 'Building',
    message: '',
    lastTransitionTime: BEFORE,
    ...fields,
  }
}

describe('the patch of a status', () => {
  it('stores what so far only the default showed', () => {
    expect(toStatusPatch(makeInstance(), { attempt: 1 }, NOW)).toMatchObject({
      ...NEW_STATUS,
      id: UID,
      attempt: 1,
    })
  })

  it('says the word of Nova’s API for the state it leads to, and keeps what it leaves out', () => {
    const patch = toStatusPatch(
      makeInstance({ status: SPAWNING }),
      { vmState: 'active', taskState: null },
      NOW,
    )
    expect(patch).toMatchObject({ vmState: 'active', taskState: null, status: 'ACTIVE' })
    for (const field of ['host', 'attempt', 'requestId', 'fault']) expect(patch).not.toHaveProperty(field)
  })

  it('takes away what is null', () => {
    const patch = toStatusPatch(
      makeInstance({ status: SPAWNING }),
      { host: null, alternates: null, fault: null },
      NOW,
    )
    expect(patch).toMatchObject({ host: null, alternates: null, fault: null, taskState: 'spawning' })
  })
})

describe('the patch of a migration', () => {
  it('begins with nothing of one before it', () => {
    const begun = {
      type: 'migration',
      status: 'accepted',
      oldVmState: 'active',
      sourceHost: 'node-2',
    } as const
    expect(toStatusPatch(makeInstance({ status: MOVED }), { migration: begun }, NOW)).toMatchObject({
      migration: { ...begun, destHost: null, requestedHost: null, oldFlavor: null, newFlavor: null },
    })
  })

  it('that goes on changes what it names alone', () => {
    const patch = toStatusPatch(makeInstance({ status: MOVED }), { migration: { status: 'reverting' } }, NOW)
    expect(patch).toMatchObject({ migration: { status: 'reverting' } })
    expect(Object.keys(patch['migration'] as object)).toEqual(['status'])
  })

  it('that is over takes it away', () => {
    expect(toStatusPatch(makeInstance({ status: MOVED }), { migration: null }, NOW)).toMatchObject({
      migration: null,
      status: 'VERIFY_RESIZE',
    })
  })
})

describe('the patch of a flavor', () => {
  const SIZE = { name: 'm1.small', vcpus: 1, memoryMb: 512, diskGb: 1 }
  const NVME = { ...SIZE, extraSpecs: { 'trait:CUSTOM_NVME': 'required', tier: 'gold' } }
  const SSD = { ...SIZE, name: 'm1.ssd', extraSpecs: { 'trait:CUSTOM_SSD': 'required', tier: 'iron' } }
  const move = { type: 'resize', status: 'accepted', oldVmState: 'active' } as const

  it.each<{ what: string; status: InstanceStatus; update: InstanceUpdate; want: object }>([
    {
      what: 'is the flavor, where there was none',
      status: SPAWNING,
      update: { flavor: NVME },
      want: { flavor: NVME },
    },
    {
      what: 'leaves nothing of the extra specs of the one before',
      status: { ...SPAWNING, flavor: NVME },
      update: { flavor: SSD },
      want: { flavor: { ...SSD, extraSpecs: { ...SSD.extraSpecs, 'trait:CUSTOM_NVME': null } } },
    },
    {
      what: 'leaves no extra specs to one that an older version wrote without',
      status: { ...SPAWNING, flavor: NVME },
      update: { flavor: SIZE },
      want: { flavor: { ...SIZE, extraSpecs: null } },
    },
    {
      what: 'leaves nothing of those of a resize before',
      status: { ...SPAWNING, migration: { ...move, oldFlavor: NVME, newFlavor: SSD } },
      update: { migration: { ...move, oldFlavor: SSD, newFlavor: { ...SIZE, extraSpecs: {} } } },
      want: {
        migration: {
          oldFlavor: { ...SSD, extraSpecs: { ...SSD.extraSpecs, 'trait:CUSTOM_NVME': null } },
          newFlavor: { ...SIZE, extraSpecs: { 'trait:CUSTOM_SSD': null, tier: null } },
        },
      },
    },
  ])('$what', ({ status, update, want }) => {
    expect(toStatusPatch(makeInstance({ status }), update, NOW)).toMatchObject(want)
  })
})

describe('an image that takes the place of another', () => {
  const imported = toImageMeta(
    makeImage({
      dataVolume: { http: { url: 'https://example.com/disk.img' }, storageClassName: 'fast' },
      properties: { hw_firmware_type: 'uefi', traits_required: ['CUSTOM_GPU', 'CUSTOM_NVME'] },
    }),
  )
  const cirros = toImageMeta(makeImage({ properties: { traits_required: ['CUSTOM_SSD'] } }))

  it.each<{ what: string; held: InstanceStatus['imageMeta']; given: typeof cirros; want: object }>([
    { what: 'is the image, where there was none', held: undefined, given: imported, want: imported },
    {
      what: 'leaves nothing of the disk and the properties of the one before',
      held: imported,
      given: cirros,
      want: {
        ...cirros,
        disk: { ...cirros.disk, source: null, storageClassName: null },
        properties: { hw_firmware_type: null, traits_required: ['CUSTOM_SSD'] },
      },
    },
    {
      what: 'has the whole of its source',
      held: cirros,
      given: imported,
      want: { ...imported, disk: { ...imported.disk, image: null } },
    },
  ])('$what', ({ held, given, want }) => {
    const instance = makeInstance({ status: { ...SPAWNING, ...(held && { imageMeta: held }) } })
    expect(toStatusPatch(instance, { imageMeta: given }, NOW)['imageMeta']).toEqual(want)
  })

  it('is not there where it is not named', () => {
    const instance = makeInstance({ status: { ...SPAWNING, imageMeta: imported } })
    expect(toStatusPatch(instance, { imageMeta: undefined }, NOW)['imageMeta']).toBeUndefined()
  })
})

describe('the condition Ready', () => {
  const fault = { code: 500, message: 'no room', requestId: 'req-1', created: BEFORE }

  it.each<{ what: string; status: InstanceStatus; update: InstanceUpdate; want: Condition }>([
    {
      what: 'begins with the first change',
      status: NEW_STATUS,
      update: { host: 'node-1' },
      want: makeCondition({ message: 'task scheduling in progress', lastTransitionTime: NOW }),
    },
    {
      what: 'becomes True when the instance runs and is idle',
      status: { ...SPAWNING, conditions: [makeCondition()] },
      update: { vmState: 'active', taskState: null },
      want: makeCondition({ status: 'True', reason: 'Active', lastTransitionTime: NOW }),
    },
    {
      what: 'becomes False while something is done to it',
      status: { vmState: 'active', conditions: [makeCondition({ status: 'True', reason: 'Active' })] },
      update: { taskState: 'powering-off' },
      want: makeCondition({
        reason: 'TaskInProgress',
        message: 'task powering-off in progress',
        lastTransitionTime: NOW,
      }),
    },
    {
      what: 'keeps its time where only the reason changes',
      status: {
        vmState: 'active',
        taskState: 'powering-off',
        conditions: [makeCondition({ reason: 'TaskInProgress' })],
      },
      update: { vmState: 'stopped', taskState: null },
      want: makeCondition({ reason: 'Stopped' }),
    },
    {
      what: 'says why an instance is in error',
      status: { ...SPAWNING, conditions: [makeCondition()] },
      update: { vmState: 'error', taskState: null, fault },
      want: makeCondition({ reason: 'Error', message: 'no room' }),
    },
    {
      what: 'says why a delete stalls that goes on',
      status: {
        vmState: 'active',
        taskState: 'deleting',
        conditions: [makeCondition({ reason: 'TaskInProgress', message: 'task deleting in progress' })],
      },
      update: { vmState: 'error', fault },
      want: makeCondition({ reason: 'TaskInProgress', message: 'no room' }),
    },
    {
      what: 'names the task of a build that is in progress',
      status: { ...NEW_STATUS, conditions: [makeCondition({ message: 'task scheduling in progress' })] },
      update: { taskState: 'spawning' },
      want: makeCondition({ message: 'task spawning in progress' }),
    },
  ])('$what', ({ status, update, want }) => {
    expect(toStatusPatch(makeInstance({ status }), update, NOW)).toMatchObject({ conditions: [want] })
  })

  it('is not written where it stays as it is', () => {
    const conditions = [makeCondition({ message: 'task spawning in progress' })]
    const patch = toStatusPatch(makeInstance({ status: { ...SPAWNING, conditions } }), { addresses: [] }, NOW)
    expect(patch).not.toHaveProperty('conditions')
  })
})
