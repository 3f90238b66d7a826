import { describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { NotSupported, SnapshotFailure } from '../../common/errors/guest.ts'
import { client, driver, refOf, spawn, useKubeVirt, writes } from '../../testing/use-kubevirt.ts'
import { VIRTUAL_MACHINE } from '../../virt/kubevirt/resources.ts'
import { VIRTUAL_MACHINE_SNAPSHOT } from '../../virt/kubevirt/snapshot-resource.ts'

const ctx = serviceContext('req-1')
const ON_DISK = {
  diskGb: 10,
  disk: { kind: 'dataVolume', source: { http: { url: 'http://images.example/a' } } },
} as const

useKubeVirt()

describe('snapshot', () => {
  it('is refused for a disk that is the image itself', async () => {
    const guest = await spawn()

    await expect(driver.snapshot(ctx, guest, { name: 'copy' })).rejects.toThrow(NotSupported)
    expect(writes).toEqual([])
  })

  it('gives the VolumeSnapshot of the root disk, and belongs to nobody', async () => {
    const guest = await spawn(ON_DISK)

    const source = await driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })

    const ref = { namespace: 'default', name: `${guest.name}-copy` }
    const { metadata } = await client.get(VIRTUAL_MACHINE_SNAPSHOT, ref)
    const name = `vmsnapshot-${metadata.uid}-volume-root`
    expect(source).toEqual({ snapshot: { namespace: 'default', name } })
    expect(metadata.ownerReferences).toBeUndefined()
  })

  it('tells why KubeVirt could not take it', async () => {
    const guest = await spawn(ON_DISK)
    const annotations = { 'dev.kilonova/guest': 'snapshot-fails' }
    await client.mergePatch(VIRTUAL_MACHINE, refOf(guest), { metadata: { annotations } })

    await expect(driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })).rejects.toThrow(
      new SnapshotFailure({
        instance: guest.uid,
        reason: 'VolumeSnapshot error: the storage was told to fail it',
      }),
    )
  })

  it('is taken up by the same request, and by no later one: it is of another time', async () => {
    const guest = await spawn(ON_DISK)
    const options = { name: `${guest.name}-copy` }
    const source = await driver.snapshot(ctx, guest, options)

    expect(await driver.snapshot(ctx, guest, options)).toEqual(source)
    await expect(driver.snapshot(serviceContext('req-2'), guest, options)).rejects.toThrow(
      `there is a VirtualMachineSnapshot ${guest.name}-copy of an earlier request`,
    )
  })

  it('does not take the snapshot of another for its own', async () => {
    const [guest, second] = [await spawn(ON_DISK), await spawn(ON_DISK)]
    await driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })

    await expect(driver.snapshot(ctx, second, { name: `${guest.name}-copy` })).rejects.toThrow(
      SnapshotFailure,
    )
  })
})
