import { beforeEach, describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { MigrationError } from '../../common/errors/guest.ts'
import { until } from '../../testing/until.ts'
import {
  client,
  driver,
  inTime,
  refOf,
  spawn,
  useKubeVirt,
  vmOf,
  vmiOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { GuestSpec } from '../../virt/driver.ts'
import { VIRTUAL_MACHINE_INSTANCE_MIGRATION } from '../../virt/kubevirt/migration-resource.ts'
import type { GuestWord } from './behaviour.ts'

const ctx = serviceContext('req-1')

let to: string

useKubeVirt()
beforeEach(() => {
  to = world.nodeOf('node-2')
})

describe('liveMigrate', () => {
  async function scripted(word: GuestWord): Promise<GuestSpec> {
    const guest = await spawn()
    await world.standIn.setGuest(refOf(guest), word)
    await world.assignment.allowMove(ctx, guest, to)
    return guest
  }

  async function migrations(guest: GuestSpec): Promise<readonly string[]> {
    const { items } = await client.list(VIRTUAL_MACHINE_INSTANCE_MIGRATION, { namespace: 'default' })
    return items.filter(({ spec }) => spec.vmiName === guest.name).map(({ metadata }) => metadata.name)
  }

  it('writes once', async () => {
    const guest = await spawn()
    await world.assignment.allowMove(ctx, guest, to)

    await driver.liveMigrate(ctx, guest, { to })

    expect(writes).toEqual(['create virtualmachineinstancemigrations'])
    expect((await vmiOf(guest)).status?.nodeName).toBe(to)
  })

  it('tells why KubeVirt could not move it, and the guest runs where it was', async () => {
    const guest = await scripted('migration-fails')

    const failing = driver.liveMigrate(ctx, guest, { to })

    await expect(failing).rejects.toThrow(
      new MigrationError({
        instance: guest.uid,
        reason: 'Live migration failed: the guest was told to fail it',
      }),
    )
    expect((await vmiOf(guest)).status).toMatchObject({
      phase: 'Running',
      nodeName: world.nodeOf('node-1'),
    })
  })

  it('says the same again for the same request, and tries anew for another', async () => {
    const guest = await scripted('migration-fails')
    await expect(driver.liveMigrate(ctx, guest, { to })).rejects.toThrow(MigrationError)
    writes.length = 0

    await expect(driver.liveMigrate(ctx, guest, { to })).rejects.toThrow('was told to fail it')
    expect(writes).toEqual([])
    await world.standIn.setGuest(refOf(guest), 'stubborn')
    await driver.liveMigrate(serviceContext('req-2'), guest, { to })

    expect((await vmiOf(guest)).status?.nodeName).toBe(to)
    expect(await migrations(guest)).toHaveLength(1)
  })

  it('called again goes on waiting for the migration that a crashed agent began', async () => {
    const guest = await scripted('migration-hangs')
    const abort = new AbortController()
    const crashed = expect(driver.liveMigrate(ctx, guest, { to, signal: abort.signal })).rejects.toThrow(
      'it stops',
    )
    await until('it moves', async () => (await vmiOf(guest)).status?.migrationState !== undefined)
    expect((await vmOf(guest)).status?.printableStatus).toBe('Migrating')
    abort.abort(new Error('it stops'))
    await crashed
    await driver.stop()

    const restarted = await world.driver('node-1')
    const moving = restarted.liveMigrate(ctx, guest, { to })
    await world.standIn.setGuest(refOf(guest), 'stubborn')

    await moving
    expect(await migrations(guest)).toHaveLength(1)
    expect((await vmiOf(guest)).status?.nodeName).toBe(to)
  })

  it('fails when somebody calls it off', async () => {
    const guest = await scripted('migration-hangs')
    const moving = expect(driver.liveMigrate(ctx, guest, { to })).rejects.toThrow(
      'its migration was cancelled',
    )
    await until('it moves', async () => (await vmiOf(guest)).status?.migrationState !== undefined)

    for (const name of await migrations(guest)) {
      await client.delete(VIRTUAL_MACHINE_INSTANCE_MIGRATION, { namespace: 'default', name })
    }

    await moving
    await until(
      'KubeVirt has let it go',
      async () => (await vmiOf(guest)).status?.migrationState?.failed === true,
    )
  })

  it('fails when another migration is under way', async () => {
    const guest = await scripted('migration-hangs')
    await client.create(VIRTUAL_MACHINE_INSTANCE_MIGRATION, {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachineInstanceMigration',
      metadata: { namespace: 'default', name: `${guest.name}-by-hand` },
      spec: { vmiName: guest.name },
    })
    await until('it moves', async () => (await vmiOf(guest)).status?.migrationState !== undefined)

    await expect(driver.liveMigrate(ctx, guest, { to })).rejects.toThrow('in-flight migration detected')
  })

  it('begins nothing that was not allowed', async () => {
    const guest = await spawn()

    const moving = inTime(driver.liveMigrate(ctx, guest, { to }))

    await expect(moving).rejects.toThrow(`its VirtualMachine was not allowed to run on ${to}`)
    expect(writes).toEqual([])
  })
})
