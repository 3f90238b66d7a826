import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { InstanceStatus } from '../apis/v1alpha1/instance.ts'
import { Forbidden } from '../common/errors/access.ts'
import { ImageNotFound } from '../common/errors/flavor-and-image.ts'
import { UnexpectedTaskStateError } from '../common/errors/instance-state.ts'
import { refOfInstance, toImageMeta } from '../objects/build-request.ts'
import type { ExpectedState } from '../objects/expected-state.ts'
import type { InstanceUpdate } from '../objects/instance-update.ts'
import { makeContext, makeImage } from '../testing/builders.ts'
import { ConductorWorld } from '../testing/conductor-world.ts'
import { settle } from '../testing/fake-clock.ts'
import { until } from '../testing/until.ts'
import { kube, useKube } from '../testing/use-kube.ts'
import type { ActionNote, InstanceView } from './rpcapi.ts'

/** What the conductor does for instances that go from host to host. */

const REQUEST = 'req-1f0c9a3e-0000-5000-8000-000000000000'
const SMALL = { name: 'm1.tiny', vcpus: 1, memoryMb: 512, diskGb: 1 }
const BIG = { name: 'm1.big', vcpus: 2, memoryMb: 1024, diskGb: 2 }
const NOW = '2026-01-01T00:00:00.000Z'
const ctx = makeContext({ requestId: REQUEST })

let world: ConductorWorld

useKube(() =>
  Promise.all([
    kube.putFlavor(SMALL),
    kube.putImage({ name: 'cirros' }),
    kube.putImage({ name: 'rescue', containerDisk: { image: 'registry.example/rescue' } }),
    kube.putNode({ name: 'node-1', status: { availabilityZone: 'west' } }),
    kube.putNode({ name: 'node-2', status: { availabilityZone: 'east' } }),
  ]),
)
beforeEach(async () => {
  world = new ConductorWorld(kube)
  await world.start(['node-1', 'node-2', 'node-3'])
})
afterEach(() => world.close())

const WAY = {
  type: 'resize',
  status: 'preparing',
  oldVmState: 'active',
  sourceHost: 'node-1',
  destHost: 'node-2',
  oldFlavor: SMALL,
  newFlavor: BIG,
} as const
const AT_SOURCE = {
  vmState: 'active',
  host: 'node-1',
  availabilityZone: 'west',
  flavor: SMALL,
  requestId: REQUEST,
} as const
const AT_DEST = {
  vmState: 'resized',
  host: 'node-2',
  availabilityZone: 'east',
  flavor: BIG,
  requestId: REQUEST,
} as const
const PREP: InstanceStatus = { ...AT_SOURCE, taskState: 'resize_prep', migration: WAY }
const MIGRATING: InstanceStatus = {
  ...AT_SOURCE,
  taskState: 'resize_migrating',
  migration: { ...WAY, status: 'running' },
}

async function update(
  host: string,
  change: InstanceUpdate,
  expected: ExpectedState = {},
  note?: ActionNote,
): Promise<InstanceView> {
  const instance = refOfInstance(await kube.instance())
  return world.agent(host).instanceUpdate(ctx, { instance, update: change, expected, ...(note && { note }) })
}

describe('a step that makes it another host’s turn', () => {
  const live = { ...WAY, type: 'live-migration' } as const

  it.each<{
    what: string
    status: InstanceStatus
    by: string
    change: InstanceUpdate
    told: string
    method: string
  }>([
    {
      what: 'the destination is ready',
      status: PREP,
      by: 'node-2',
      change: { taskState: 'resize_migrating', migration: { status: 'running' } },
      told: 'node-1',
      method: 'resize_instance',
    },
    {
      what: 'the source has shut it off',
      status: MIGRATING,
      by: 'node-1',
      change: { taskState: 'resize_migrated', host: 'node-2' },
      told: 'node-2',
      method: 'finish_resize',
    },
    {
      what: 'the destination gives it back',
      status: { ...AT_DEST, taskState: 'resize_reverting', migration: { ...WAY, status: 'finished' } },
      by: 'node-2',
      change: { taskState: 'resize_reverting', host: 'node-1', migration: { status: 'reverting' } },
      told: 'node-1',
      method: 'finish_revert_resize',
    },
    {
      what: 'the destination of a live migration is ready',
      status: { ...AT_SOURCE, taskState: 'migrating', migration: live },
      by: 'node-2',
      change: { taskState: 'migrating', migration: { status: 'running' } },
      told: 'node-1',
      method: 'live_migration',
    },
  ])('because $what has that one told', async ({ status, by, change, told, method }) => {
    await kube.putInstance({ status })
    await update(by, change)
    await until('it is told', () => world.told.length > 0)
    expect(world.told).toEqual([{ host: told, method, requestId: REQUEST }])
  })

  it.each<{ what: string; status: InstanceStatus; by: string; change: InstanceUpdate }>([
    {
      what: 'the operation is over',
      status: { ...AT_DEST, vmState: 'active', taskState: 'resize_migrated', migration: WAY },
      by: 'node-2',
      change: { vmState: 'resized', taskState: null, migration: { status: 'finished' } },
    },
    {
      what: 'it is its own turn still',
      status: { ...AT_SOURCE, taskState: 'powering-off' },
      by: 'node-1',
      change: { powerState: 'SHUTDOWN' },
    },
    {
      what: 'the scheduler has to choose again',
      status: { vmState: 'building', taskState: 'spawning', host: 'node-1', requestId: REQUEST },
      by: 'node-1',
      change: { taskState: 'scheduling', host: null },
    },
  ])('has nobody told where $what', async ({ status, by, change }) => {
    await kube.putInstance({ status })
    await update(by, change)
    await settle()
    expect(world.told).toEqual([])
  })

  it('is told again where the answer was lost', async () => {
    await kube.putInstance({ status: PREP })
    const change = { taskState: 'resize_migrating', migration: { status: 'running' } } as const
    const expected: ExpectedState = { taskState: ['resize_prep'], requestId: REQUEST }
    const note: ActionNote = { action: 'resize', progress: { events: [] } }
    await update('node-2', change, expected, note)
    await update('node-2', change, expected, note)
    await until('it is told twice', () => world.told.length === 2)
    expect(new Set(world.told.map(({ method }) => method))).toEqual(new Set(['resize_instance']))
  })
})

describe('an instance that changes its host', () => {
  it.each<{
    what: string
    status: InstanceStatus
    by: string
    change: InstanceUpdate
    want: InstanceStatus
  }>([
    {
      what: 'has the size and the zone of where it goes',
      status: MIGRATING,
      by: 'node-1',
      change: { taskState: 'resize_migrated', host: 'node-2' },
      want: { host: 'node-2', flavor: BIG, availabilityZone: 'east' },
    },
    {
      what: 'has those of where it came from, when it goes back',
      status: { ...AT_DEST, taskState: 'resize_reverting', migration: WAY },
      by: 'node-2',
      change: { host: 'node-1', migration: { status: 'reverting' } },
      want: { host: 'node-1', flavor: SMALL, availabilityZone: 'west' },
    },
    {
      what: 'keeps its size where it only moves',
      status: {
        ...AT_SOURCE,
        taskState: 'migrating',
        migration: {
          type: 'live-migration',
          status: 'running',
          oldVmState: 'active',
          sourceHost: 'node-1',
          destHost: 'node-2',
        },
      },
      by: 'node-1',
      change: { taskState: null, host: 'node-2', migration: null },
      want: { host: 'node-2', flavor: SMALL, availabilityZone: 'east' },
    },
  ])('$what', async ({ status, by, change, want }) => {
    await kube.putInstance({ status })
    await update(by, change)
    expect((await kube.instance()).status).toMatchObject(want)
  })

  describe('asks of a host', () => {
    const NVME = { ...SMALL, extraSpecs: { 'trait:CUSTOM_NVME': 'required' } }
    const SSD = { ...BIG, extraSpecs: { 'trait:CUSTOM_SSD': 'required' } }

    it.each([
      { what: 'only what its new flavor asks', oldFlavor: NVME, newFlavor: SSD },
      {
        what: 'nothing any more, where that asks nothing',
        oldFlavor: NVME,
        newFlavor: { ...BIG, extraSpecs: {} },
      },
      {
        what: 'what its Flavor says, where an older version began the resize',
        oldFlavor: NVME,
        newFlavor: BIG,
      },
    ])('$what', async ({ oldFlavor, newFlavor }) => {
      const migration = { ...WAY, status: 'running', oldFlavor, newFlavor } as const
      await kube.putInstance({ status: { ...MIGRATING, flavor: oldFlavor, migration } })
      await update('node-1', { taskState: 'resize_migrated', host: 'node-2' })
      expect((await kube.instance()).status.flavor).toEqual(newFlavor)
    })

    it('only what its old flavor asked, when it goes back', async () => {
      const migration = { ...WAY, oldFlavor: NVME, newFlavor: SSD }
      await kube.putInstance({
        status: { ...AT_DEST, flavor: SSD, taskState: 'resize_reverting', migration },
      })
      await update('node-2', { host: 'node-1', migration: { status: 'reverting' } })
      expect((await kube.instance()).status.flavor).toEqual(NVME)
    })
  })

  it('has no zone where its new host is not known', async () => {
    await kube.putInstance({ status: { ...MIGRATING, migration: { ...WAY, destHost: 'node-3' } } })
    await update('node-1', { taskState: 'resize_migrated', host: 'node-3' })
    const { status } = await kube.instance()
    expect(status.host).toBe('node-3')
    expect(status).not.toHaveProperty('availabilityZone')
  })

  it('changes it also by a conductor that remembers it from before its destination was chosen', async () => {
    const { destHost: _, ...way } = WAY
    const migration = { ...way, type: 'live-migration' } as const
    const status = { ...AT_SOURCE, taskState: 'migrating', migration } as const
    const instance = await kube.putInstance({ status })
    await world.agent('node-1').instanceGet(ctx, refOfInstance(instance))
    await kube.setStatus('web', {
      ...status,
      migration: { ...WAY, type: 'live-migration', status: 'running' },
    })

    await update('node-1', { taskState: null, host: 'node-2', migration: null }, { taskState: ['migrating'] })

    expect((await kube.instance()).status.host).toBe('node-2')
  })
})

describe('an agent', () => {
  const GIVEN_AWAY: InstanceUpdate = { host: null, taskState: null }

  it.each<{ what: string; status: InstanceStatus; by: string; change: InstanceUpdate }>([
    {
      what: 'take an instance that nobody sends to it',
      status: AT_SOURCE,
      by: 'node-1',
      change: { host: 'node-3' },
    },
    { what: 'give its own to where it does not go', status: PREP, by: 'node-1', change: { host: 'node-3' } },
    { what: 'send it elsewhere', status: PREP, by: 'node-2', change: { migration: { destHost: 'node-3' } } },
    { what: 'say what it is to be', status: PREP, by: 'node-2', change: { flavor: BIG } },
    {
      what: 'take the host of an instance that is only to come to it',
      status: PREP,
      by: 'node-2',
      change: GIVEN_AWAY,
    },
    {
      what: 'take the host of an instance that has left it',
      status: { ...AT_DEST, migration: { ...WAY, status: 'finished' } },
      by: 'node-1',
      change: GIVEN_AWAY,
    },
  ])('may not $what', async ({ status, by, change }) => {
    const instance = await kube.putInstance({ status })
    await expect(update(by, change)).rejects.toThrow(Forbidden)
    expect(await kube.instance()).toEqual(instance)
  })

  it.each(['node-1', 'node-2'])('of %s has a say in what moves between these two', async (host) => {
    await kube.putInstance({ status: PREP })
    await update(host, { addresses: [] }, { taskState: ['resize_prep'] })
    expect((await kube.instance()).status.addresses).toEqual([])
  })

  it('of a third host has none', async () => {
    const instance = await kube.putInstance({ status: PREP })
    await expect(update('node-3', { addresses: [] })).rejects.toThrow(UnexpectedTaskStateError)
    expect(await kube.instance()).toEqual(instance)
  })

  it.each(['node-1', 'node-2'])('of %s is given what is to be built of one that moves', async (host) => {
    const instance = await kube.putInstance({ status: PREP })
    const request = await world.agent(host).buildRequestGet(ctx, refOfInstance(instance))
    expect(request.flavor).toEqual(BIG)
    const views = await world.agent(host).instanceGetByHost(ctx, host)
    expect(views.map(({ ref }) => ref.name)).toEqual(['web'])
  })

  it('of a third host is given nothing of it', async () => {
    const ref = refOfInstance(await kube.putInstance({ status: PREP }))
    await expect(world.agent('node-3').buildRequestGet(ctx, ref)).rejects.toThrow(Forbidden)
    await expect(world.agent('node-3').diskGet(ctx, ref)).rejects.toThrow(Forbidden)
    expect(await world.agent('node-3').instanceGetByHost(ctx, 'node-3')).toEqual([])
  })
})

describe('the disk to rescue an instance with', () => {
  const RESCUING = { ...AT_SOURCE, taskState: 'rescuing' } as const
  const asked = { name: 'mine', operation: 'rescue' } as const
  const disk = (image: string) => ({ kind: 'containerDisk', image: `registry.example/${image}` })

  it.each<{ what: string; status: InstanceStatus; want: string }>([
    {
      what: 'the one that was asked for',
      status: { ...RESCUING, action: { ...asked, image: 'rescue' } },
      want: 'rescue',
    },
    {
      what: 'its own, where none was asked for',
      status: { ...RESCUING, action: asked },
      want: 'cirros',
    },
    {
      what: 'that of its own which it carries, whatever became of the Image',
      status: {
        ...RESCUING,
        action: asked,
        imageMeta: toImageMeta(makeImage({ containerDisk: { image: 'registry.example/old' } })),
      },
      want: 'old',
    },
    {
      what: 'that of its last rebuild, where none was asked for',
      status: { ...RESCUING, action: asked, image: 'rescue' },
      want: 'rescue',
    },
  ])('is $what', async ({ status, want }) => {
    const instance = await kube.putInstance({ status })
    expect(await world.agent('node-1').diskGet(ctx, refOfInstance(instance))).toEqual(disk(want))
  })

  it('is none where its own was of a snapshot, which went with its Image: that says what to do', async () => {
    const dataVolume = { snapshot: { namespace: 'default', name: 'web-1' } }
    const imageMeta = toImageMeta(makeImage({ name: 'web-1', dataVolume }))
    const instance = await kube.putInstance({
      spec: { image: 'web-1' },
      status: { ...RESCUING, action: asked, imageMeta },
    })
    const got = world.agent('node-1').diskGet(ctx, refOfInstance(instance))
    await expect(got).rejects.toEqual(
      new ImageNotFound({ image: 'web-1', instead: 'Name another image to rescue the instance with.' }),
    )
  })
})

describe('the end of a migration', () => {
  it('is told to the host that is free of it now, and not to the one that says so', async () => {
    await kube.putInstance({
      status: { ...AT_DEST, taskState: 'resize_confirming', migration: { ...WAY, status: 'confirming' } },
    })
    await update('node-2', { vmState: 'active', taskState: null, migration: null })
    await until('it is told', () => world.told.length > 0)
    expect(world.told).toEqual([{ host: 'node-1', method: 'update_available_resource', requestId: REQUEST }])
  })

  it('of which each host tells its own steps has them all in its record, and one result', async () => {
    const instance = await kube.putInstance({ status: PREP })
    await world.actions.begin(ctx, refOfInstance(instance), 'resize')
    const step = (name: string, host: string) => ({
      action: 'resize' as const,
      progress: { events: [{ name, host, startTime: NOW, finishTime: NOW, result: 'Success' as const }] },
    })

    await update(
      'node-2',
      { taskState: 'resize_migrating', migration: { status: 'running' } },
      {},
      step('compute_prep_resize', 'node-2'),
    )
    await update(
      'node-1',
      { taskState: 'resize_migrated', host: 'node-2' },
      {},
      step('compute_resize_instance', 'node-1'),
    )
    await update(
      'node-2',
      { vmState: 'resized', taskState: null, migration: { status: 'finished' } },
      {},
      { ...step('compute_finish_resize', 'node-2'), end: { result: 'Success' } },
    )

    const { status } = await kube.action('web-resize-1f0c9a3e')
    expect(status?.result).toBe('Success')
    expect(status?.events?.map(({ name, host }) => [name, host])).toEqual([
      ['compute_prep_resize', 'node-2'],
      ['compute_resize_instance', 'node-1'],
      ['compute_finish_resize', 'node-2'],
    ])
    expect(await world.eventsOf(instance)).toEqual([
      ['Normal', 'Resized', `Instance was resized, on node-2; confirm or revert it (${REQUEST})`],
    ])
  })
})
