import { beforeEach, describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import {
  client,
  driver,
  off,
  spawn,
  useKubeVirt,
  vmOf,
  vmiOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { ComputeDriver } from '../../virt/driver.ts'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { PERSISTENT_VOLUME_CLAIM } from '../../virt/kubevirt/claim.ts'
import { SECRET } from '../../virt/kubevirt/resources.ts'

const ctx = serviceContext('req-1')
const ON_DISK = {
  diskGb: 10,
  disk: { kind: 'dataVolume', source: { http: { url: 'http://images.example/a' } } },
} as const
const BY_FORCE = { byForce: true } as const

let other: ComputeDriver
let to: string

useKubeVirt()
beforeEach(async () => {
  other = await world.driver('node-2')
  to = world.nodeOf('node-2')
})

describe('finishMigration', () => {
  it('makes a Secret of its own with the user data, and leaves the old host its', async () => {
    const guest = await spawn({ userData: 'IyEK' })
    await off(guest)
    await world.assignment.assign(ctx, guest, to)

    await other.finishMigration(ctx, guest, { powerOn: true })

    expect(writes).toEqual(['create secrets', 'mergePatch virtualmachines', 'mergePatch virtualmachines'])
    const names = [world.nodeOf('node-1'), to].map((host) => `kilonova-user-data-${guest.uid}-${host}`)
    for (const name of names) await client.get(SECRET, { namespace: 'default', name })
    const volumes = (await vmiOf(guest)).spec.volumes?.map(({ cloudInitNoCloud }) => cloudInitNoCloud)
    expect(volumes).toEqual([undefined, { secretRef: { name: names[1] } }])
  })

  it('makes a disk larger, and never smaller', async () => {
    const guest = await spawn(ON_DISK)
    await off(guest)
    const claim = { namespace: 'default', name: `${guest.name}-root-${guest.uid.slice(0, 8)}` }
    const requests = { storage: '10Gi' }
    await client.create(PERSISTENT_VOLUME_CLAIM, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: claim,
      spec: { resources: { requests } },
    })

    await driver.finishMigration(ctx, { ...guest, diskGb: 20 }, { powerOn: false })
    await driver.finishMigration(ctx, guest, { powerOn: false })

    const { spec } = await client.get(PERSISTENT_VOLUME_CLAIM, claim)
    expect(spec?.resources?.requests).toEqual({ storage: '20Gi' })
    const [template] = (await vmOf(guest)).spec.dataVolumeTemplates ?? []
    expect(template?.spec.storage.resources?.requests.storage).toBe('20Gi')
  })

  it('needs no claim that is not made yet', async () => {
    const guest = await spawn(ON_DISK)
    await off(guest)

    await expect(
      driver.finishMigration(ctx, { ...guest, diskGb: 20 }, { powerOn: true }),
    ).resolves.toMatchObject({ powerState: 'RUNNING' })
  })

  it('fails for a guest that was not assigned to it, and for one that is gone', async () => {
    const guest = await spawn()
    await off(guest)

    await expect(other.finishMigration(ctx, guest, { powerOn: true })).rejects.toThrow(GuestNotFound)
    await driver.destroy(ctx, guest)
    await world.assignment.takeAway(ctx, guest, to, BY_FORCE)
    await expect(other.finishMigration(ctx, guest, { powerOn: false })).rejects.toThrow(GuestNotFound)
  })

  it('writes nothing for what is so already', async () => {
    const guest = await spawn()

    await driver.finishMigration(ctx, guest, { powerOn: true })

    expect(writes).toEqual([])
  })
})
