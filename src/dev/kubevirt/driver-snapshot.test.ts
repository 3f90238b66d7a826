import { describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { NotSupported, SnapshotFailure } from '../../common/errors/guest.ts'
import { until } from '../../testing/until.ts'
import { client, driver, logs, refOf, spawn, useKubeVirt, writes } from '../../testing/use-kubevirt.ts'
import { VIRTUAL_MACHINE } from '../../virt/kubevirt/resources.ts'
import { VIRTUAL_MACHINE_SNAPSHOT } from '../../virt/kubevirt/snapshot-resource.ts'

const ctx = serviceContext('req-1')
const ON_DISK = {
  diskGb: 10,
  disk: { kind: 'dataVolume', source: { http: { url: 'http://images.example/a' } } },
} as const

const IMAGE = { apiVersion: 'compute.kilonova.dev/v1alpha1', kind: 'Image', name: 'copy', uid: 'gone' }

useKubeVirt()

/** A snapshot as agents made them that did not say for which request. */
async function putSnapshot(uid: string, vm: string): Promise<string> {
  const { metadata } = await client.create(VIRTUAL_MACHINE_SNAPSHOT, {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: {
      namespace: 'default',
      name: `copy-of-${uid}`,
      labels: { 'compute.kilonova.dev/instance-uid': uid },
    },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm } },
  })
  return metadata.name
}

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

  it.each([
    { what: 'is being removed', finalizers: ['test/held'], ownerReferences: [] },
    { what: 'goes with an Image that is gone', finalizers: [], ownerReferences: [IMAGE] },
  ])('waits for an earlier one of that name that $what', async ({ finalizers, ownerReferences }) => {
    const guest = await spawn(ON_DISK)
    const options = { name: `${guest.name}-copy` }
    const ref = { namespace: 'default', name: options.name }
    const earlier = await driver.snapshot(ctx, guest, options)
    await client.mergePatch(VIRTUAL_MACHINE_SNAPSHOT, ref, { metadata: { finalizers, ownerReferences } })
    const remove = async () => client.delete(VIRTUAL_MACHINE_SNAPSHOT, ref)
    if (finalizers.length > 0) await remove()

    const taken = driver.snapshot(serviceContext('req-2'), guest, options)
    await Promise.race([taken, until('it waits', () => logs.at('INFO').join().includes('Waits for'))])
    if (finalizers.length === 0) await remove()
    else await client.mergePatch(VIRTUAL_MACHINE_SNAPSHOT, ref, { metadata: { finalizers: null } })

    expect(await taken).not.toEqual(earlier)
    const { metadata } = await client.get(VIRTUAL_MACHINE_SNAPSHOT, ref)
    const name = `vmsnapshot-${metadata.uid}-volume-root`
    expect(await taken).toEqual({ snapshot: { namespace: 'default', name } })
  })

  it('goes on with the one that an older agent began, which does not say for whom', async () => {
    const guest = await spawn(ON_DISK)
    // There is no such guest: it is not taken while the test runs.
    const name = await putSnapshot(guest.uid, 'none')
    const interrupt = new AbortController()

    const taken = driver.snapshot(ctx, guest, { name, signal: interrupt.signal })
    await Promise.race([taken, until('it goes on', () => logs.at('INFO').join().includes('Takes a'))])
    interrupt.abort(new Error('seen enough'))

    await expect(taken).rejects.toThrow('seen enough')
  })

  it('does not take one for its own that an older agent has finished: nobody knows when', async () => {
    const guest = await spawn(ON_DISK)
    const name = await putSnapshot(guest.uid, guest.name)
    const ref = { namespace: 'default', name }
    await until(
      'it is taken',
      async () => (await client.get(VIRTUAL_MACHINE_SNAPSHOT, ref)).status?.readyToUse === true,
    )

    await expect(driver.snapshot(ctx, guest, { name })).rejects.toThrow('of an earlier request')
  })

  it('does not take the snapshot of another for its own', async () => {
    const [guest, second] = [await spawn(ON_DISK), await spawn(ON_DISK)]
    await driver.snapshot(ctx, guest, { name: `${guest.name}-copy` })

    await expect(driver.snapshot(ctx, second, { name: `${guest.name}-copy` })).rejects.toThrow(
      SnapshotFailure,
    )
  })
})
