import { beforeEach, describe, expect, it } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import {
  client,
  driver,
  inTime,
  spawn,
  useKubeVirt,
  vmOf,
  vmiOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { ComputeDriver, GuestSpec } from '../../virt/driver.ts'
import { SECRET } from '../../virt/kubevirt/resources.ts'

/** What the host that a guest came from has no part in any more. */

const ctx = serviceContext('req-1')

let other: ComputeDriver
let to: string

useKubeVirt()
beforeEach(async () => {
  other = await world.driver('node-2')
  to = world.nodeOf('node-2')
})

describe('a guest that was moved while it ran', () => {
  async function moved(): Promise<GuestSpec> {
    const guest = await spawn({ userData: 'IyEK' })
    await world.assignment.allowMove(ctx, guest, to)
    await driver.liveMigrate(ctx, guest, { to })
    return guest
  }

  const secretsOf = async ({ uid }: GuestSpec): Promise<readonly string[]> =>
    (await client.list(SECRET, { namespace: 'default' })).items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.includes(uid))

  it('keeps the user data of the host it came from until it has that of its own', async () => {
    const guest = await moved()
    await world.assignment.assign(ctx, guest, to)
    const secrets = ['node-1', 'node-2'].map(
      (host) => `kilonova-user-data-${guest.uid}-${world.nodeOf(host)}`,
    )

    // What its old host does with what it does not have any more.
    await driver.destroy(ctx, guest)
    expect(await secretsOf(guest)).toEqual([secrets[0]])
    await other.hardReboot(ctx, guest)
    const volumes = (await vmiOf(guest)).spec.volumes?.map(({ cloudInitNoCloud }) => cloudInitNoCloud)
    expect(volumes).toEqual([undefined, { secretRef: { name: secrets[0] } }])

    await other.powerOff(ctx, guest, { timeoutMs: 60_000 })
    await other.finishMigration(ctx, guest, { powerOn: false })
    await driver.destroy(ctx, guest)
    expect((await vmOf(guest)).spec.template.spec.volumes?.[1]?.cloudInitNoCloud).toEqual({
      secretRef: { name: secrets[1] },
    })
    expect(await secretsOf(guest)).toContain(secrets[1])
  })

  it('is not removed by the host it came from, which has not heard that it is gone', async () => {
    const guest = await moved()
    // Its watch is cut: it goes on with what it knows.
    await driver.stop()
    await world.assignment.assign(ctx, guest, to)
    const [run, secrets] = [await world.runOf(guest), await secretsOf(guest)]
    writes.length = 0

    await inTime(driver.destroy(ctx, guest))

    expect(writes).toEqual([])
    expect((await vmOf(guest)).metadata.deletionTimestamp).toBeUndefined()
    expect(await world.runOf(guest)).toBe(run)
    expect(await secretsOf(guest)).toEqual(secrets)
  })
})
