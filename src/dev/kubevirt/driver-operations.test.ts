import { describe, expect, it } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { serviceContext } from '../../common/context.ts'
import { GuestOperationFailure, NotSupported } from '../../common/errors/guest.ts'
import { isNotFound } from '../../kube/api-error.ts'
import {
  client,
  driver,
  inTime,
  logs,
  spawn,
  useKubeVirt,
  vmOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { DiskSource, GuestSpec } from '../../virt/driver.ts'
import { DATA_VOLUME } from '../../virt/kubevirt/data-volume.ts'
import { installCrds } from '../crds.ts'

const ctx = serviceContext('req-1')
const RESCUE_DISK = { kind: 'containerDisk', image: 'rescue-image' } as const

useKubeVirt()

/** CDI's kind, without a schema. */
async function installDataVolumes(): Promise<void> {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const version = { name: 'v1beta1', served: true, storage: true, schema }
  const names = { kind: 'DataVolume', plural: 'datavolumes', singular: 'datavolume' }
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'datavolumes.cdi.kubevirt.io' },
    spec: { group: 'cdi.kubevirt.io', scope: 'Namespaced', names, versions: [version] },
  }
  await installCrds({ client, clock: new SystemClock() }, [crd], { replace: true })
}

describe('KubeVirtDriver', () => {
  it('writes once for a pause, twice for a hard reboot, three times for a rescue', async () => {
    const guest = await spawn()
    // A patch of the template is sent again when KubeVirt wrote the status of the VM at the same time.
    const takeWrites = (): string[] => writes.splice(0).filter((write, i, all) => write !== all[i - 1])

    await driver.pause(ctx, guest)
    expect(takeWrites()).toEqual(['PUT pause'])
    await driver.pause(ctx, guest)
    expect(takeWrites()).toEqual([])
    await driver.unpause(ctx, guest)
    expect(takeWrites()).toEqual(['PUT unpause'])
    await driver.softReboot(ctx, guest, { timeoutMs: 1_000 })
    expect(takeWrites()).toEqual(['PUT softreboot'])
    await driver.hardReboot(ctx, guest)
    expect(takeWrites()).toEqual(['PUT stop', 'mergePatch virtualmachines'])
    await driver.rescue(ctx, guest, { disk: RESCUE_DISK })
    expect(takeWrites()).toEqual(['mergePatch virtualmachines', 'PUT stop', 'mergePatch virtualmachines'])
    await driver.rescue(ctx, guest, { disk: RESCUE_DISK })
    expect(takeWrites()).toEqual([])
    const [patch, stop, removal] = ['mergePatch virtualmachines', 'PUT stop', 'delete datavolumes']
    await driver.unrescue(ctx, guest, { powerOn: true })
    expect(takeWrites()).toEqual([patch, stop, removal, patch])
    await driver.unrescue(ctx, guest, { powerOn: true })
    expect(takeWrites()).toEqual([removal])
  })

  it('tells each step once, under the request and the instance', async () => {
    const guest = await spawn()
    const before = logs.at('INFO').length

    await driver.pause(ctx, guest)
    await driver.unpause(ctx, guest)
    await driver.softReboot(ctx, guest, { timeoutMs: 1_000 })
    await driver.rescue(ctx, guest, { disk: RESCUE_DISK })
    await driver.unrescue(ctx, guest, { powerOn: false })

    const said = logs.at('INFO').slice(before)
    const plain = said.map((line) => line.replace(/^.*? INFO /, '').replace(/ afterMs=\S+/g, ''))
    expect(plain).toEqual(
      [
        'Paused the guest',
        'Unpaused the guest',
        'Asked the guest to reboot',
        'Put a rescue disk into the VirtualMachine',
        'Forcing the guest off',
        'Guest is off',
        'Started the guest',
        'Took the rescue disk out of the VirtualMachine',
        'Forcing the guest off',
        'Guest is off',
      ].map((text) => `nova.virt.kubevirt.driver [req-1 - -] [instance: ${guest.uid}] ${text}`),
    )
  })

  it.each([
    { word: 'pause-fails', operation: 'pause', work: async (guest: GuestSpec) => driver.pause(ctx, guest) },
    {
      word: 'reboot-fails',
      operation: 'reboot',
      work: async (guest: GuestSpec) => driver.softReboot(ctx, guest, { timeoutMs: 1_000 }),
    },
  ] as const)('says what virt-handler said when $word', async ({ word, operation, work }) => {
    const guest = await spawn()
    await world.standIn.setGuest({ namespace: guest.namespace, name: guest.name }, word)

    const failure = await inTime(work(guest).catch((error: unknown) => error))

    expect(failure).toBeInstanceOf(GuestOperationFailure)
    expect(String(failure)).toContain(`Failed to ${operation} instance ${guest.uid}: Internal error occurred`)
    expect(await driver.getInfo(guest)).toMatchObject({ powerState: 'RUNNING' })
  })

  it('asks a guest once to reboot: virt-handler may have asked it and failed then', async () => {
    const guest = await spawn()
    await world.standIn.setGuest({ namespace: guest.namespace, name: guest.name }, 'reboot-fails')

    await inTime(driver.softReboot(ctx, guest, { timeoutMs: 1_000 }).catch(() => undefined))

    expect(writes).toEqual(['PUT softreboot'])
  })

  it('leaves the VM as it was made after a rescue', async () => {
    const guest = await spawn({ properties: { hw_disk_bus: 'scsi' } })
    const before = (await vmOf(guest)).spec

    await driver.rescue(ctx, guest, { disk: RESCUE_DISK })
    const { disks = [] } = (await vmOf(guest)).spec.template.spec.domain.devices
    expect(disks.map(({ name, disk, bootOrder }) => [name, disk.bus, bootOrder])).toEqual([
      ['rescue', 'scsi', 1],
      ['root', 'scsi', 2],
      ['cloud-init', 'scsi', undefined],
    ])
    await driver.unrescue(ctx, guest, { powerOn: true })

    expect((await vmOf(guest)).spec).toEqual(before)
  })

  it('rescues from a claim', async () => {
    const guest = await spawn()

    await driver.rescue(ctx, guest, { disk: { kind: 'persistentVolumeClaim', claimName: 'rescue-claim' } })

    expect((await vmOf(guest)).spec.template.spec.volumes).toContainEqual({
      name: 'rescue',
      persistentVolumeClaim: { claimName: 'rescue-claim' },
    })
  })

  it.each<{ what: string; disk: DiskSource; says: string }>([
    {
      what: 'the claim it runs from',
      disk: { kind: 'persistentVolumeClaim', claimName: 'mine' },
      says: 'the instance itself runs from the claim mine',
    },
    {
      what: 'an image that is to be imported, who has no disk of such a size',
      disk: { kind: 'dataVolume', source: { http: { url: 'http://x/y.img' } } },
      says: 'the instance has no disk whose size it could get',
    },
  ])('does not rescue a guest from $what, and leaves it running', async ({ disk, says }) => {
    const guest = await spawn({ disk: { kind: 'persistentVolumeClaim', claimName: 'mine' } })
    const run = await world.runOf(guest)

    const rescuing = driver.rescue(ctx, guest, { disk })

    await expect(rescuing).rejects.toThrow(NotSupported)
    await expect(rescuing).rejects.toThrow(says)
    expect(writes).toEqual([])
    expect(await world.runOf(guest)).toBe(run)
  })

  const IMPORTED = { kind: 'dataVolume', source: { http: { url: 'http://x/own.img' } } } as const

  it.each<{ what: string; disk: DiskSource; storage: object }>([
    {
      what: 'an import, as large as its own disk',
      disk: {
        kind: 'dataVolume',
        source: { http: { url: 'http://x/rescue.img' } },
        storageClassName: 'fast',
      },
      storage: { storageClassName: 'fast', resources: { requests: { storage: '7Gi' } } },
    },
    {
      what: 'a copy, as large as what it is of',
      disk: { kind: 'dataVolume', source: { pvc: { namespace: 'images', name: 'golden' } } },
      storage: {},
    },
  ])('rescues from $what, which goes with the rescue', async ({ disk, storage }) => {
    const guest = await spawn({ disk: IMPORTED, diskGb: 7 })
    const before = (await vmOf(guest)).spec
    const name = `${guest.name}-rescue-${guest.uid.slice(0, 8)}`
    await installDataVolumes()
    const ref = { namespace: guest.namespace, name }
    const dataVolume = { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'DataVolume', metadata: ref }

    await driver.rescue(ctx, guest, { disk })
    const { dataVolumeTemplates, template } = (await vmOf(guest)).spec
    expect(dataVolumeTemplates).toHaveLength(2)
    expect(dataVolumeTemplates?.[1]).toEqual({
      metadata: {
        name,
        labels: {
          'compute.kilonova.dev/host': world.nodeOf('node-1'),
          'compute.kilonova.dev/instance-uid': guest.uid,
        },
      },
      spec: { source: 'source' in disk ? disk.source : undefined, storage },
    })
    expect(template.spec.volumes).toContainEqual({ name: 'rescue', dataVolume: { name } })
    // As KubeVirt does.
    await client.create(DATA_VOLUME, dataVolume)

    await driver.unrescue(ctx, guest, { powerOn: true })

    expect((await vmOf(guest)).spec).toEqual(before)
    await expect(client.get(DATA_VOLUME, ref)).rejects.toSatisfy(isNotFound)
  })

  it('does not put another rescue disk in the place of one that was made', async () => {
    const guest = await spawn({ disk: IMPORTED, diskGb: 7 })
    await driver.rescue(ctx, guest, { disk: IMPORTED })
    const run = await world.runOf(guest)

    const rescuing = driver.rescue(ctx, guest, { disk: RESCUE_DISK })

    await expect(rescuing).rejects.toThrow('it is being rescued from another disk; unrescue it first')
    expect(await world.runOf(guest)).toBe(run)
  })

  it('leaves a VM without disks of its own as it was after a rescue from a copy', async () => {
    const guest = await spawn()
    const before = (await vmOf(guest)).spec
    const source = { pvc: { namespace: 'images', name: 'golden' } }

    await driver.rescue(ctx, guest, { disk: { kind: 'dataVolume', source } })
    expect((await vmOf(guest)).spec.dataVolumeTemplates).toHaveLength(1)
    await driver.unrescue(ctx, guest, { powerOn: true })

    expect((await vmOf(guest)).spec).toEqual(before)
  })

  it('says what to do in place of a suspend', async () => {
    const guest = await spawn()

    await expect(driver.suspend(ctx, guest)).rejects.toThrow(
      "'suspend' is not supported: KubeVirt cannot save the memory of a guest",
    )
    expect(writes).toEqual([])
  })
})
