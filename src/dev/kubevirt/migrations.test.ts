import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SystemClock } from '../../common/clock.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { makeNode } from '../../testing/make-node.ts'
import { until } from '../../testing/until.ts'
import { hostsOf, pinnedTo } from '../../virt/kubevirt/affinity.ts'
import {
  VIRTUAL_MACHINE_INSTANCE_MIGRATION,
  type VirtualMachineInstanceMigration,
} from '../../virt/kubevirt/migration-resource.ts'
import {
  NODE,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { ApiServer } from '../apiserver/server.ts'
import { kubevirtCrds } from '../crds.ts'
import { NODE_GUESTS_ANNOTATION } from './behaviour.ts'
import { KubeVirtStandIn } from './stand-in.ts'

const REF = { namespace: 'default', name: 'web' }
const MOVE = { namespace: 'default', name: 'move' }
const clock = new SystemClock()
let server: ApiServer
let client: HttpKubeClient
let standIn: KubeVirtStandIn

beforeEach(async () => {
  server = new ApiServer({}, { crds: kubevirtCrds() })
  await server.start()
  client = HttpKubeClient.fromKubeConfig({ server: server.url }, { clock })
  standIn = new KubeVirtStandIn(
    { client, clock, log: captureLog().log },
    { bootMs: 2, shutdownMs: 1, unschedulableMs: 20 },
  )
  await standIn.start()
  for (const name of ['node-1', 'node-2']) await makeNode(client, name)
  await client.create(VIRTUAL_MACHINE, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: REF,
    spec: {
      runStrategy: 'Once',
      template: { spec: { affinity: pinnedTo('node-1'), domain: { devices: {} } } },
    },
  })
  await until('it runs', async () => (await vmi())?.status?.phase === 'Running')
})

afterEach(async () => {
  await standIn.stop()
  await client.close()
  await server.stop()
})

async function vmi(): Promise<VirtualMachineInstance | undefined> {
  return client.get(VIRTUAL_MACHINE_INSTANCE, REF).catch(() => undefined)
}

async function pin(...hosts: readonly string[]): Promise<void> {
  const affinity = pinnedTo(...hosts)
  await client.mergePatch(VIRTUAL_MACHINE, REF, { spec: { template: { spec: { affinity } } } })
}

async function move(): Promise<void> {
  await client.create(VIRTUAL_MACHINE_INSTANCE_MIGRATION, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstanceMigration',
    metadata: MOVE,
    spec: { vmiName: REF.name },
  })
}

async function ended(): Promise<VirtualMachineInstanceMigration> {
  const find = async (): Promise<VirtualMachineInstanceMigration> =>
    client.get(VIRTUAL_MACHINE_INSTANCE_MIGRATION, MOVE)
  await until('the migration is over', async () =>
    ['Succeeded', 'Failed'].includes((await find()).status?.phase ?? ''),
  )
  return find()
}

describe('Migrations', () => {
  it('tell a running guest of its new affinity, and move it there with a new address', async () => {
    const before = await vmi()
    await pin('node-1', 'node-2')
    await until('it is told', async () => hostsOf((await vmi())?.spec.affinity).includes('node-2'))

    await move()

    expect((await ended()).status?.phase).toBe('Succeeded')
    const after = await vmi()
    expect(after?.metadata.uid).toBe(before?.metadata.uid)
    expect(after?.status).toMatchObject({ phase: 'Running', nodeName: 'node-2' })
    expect(after?.status?.interfaces?.[0]?.ipAddress).not.toBe(before?.status?.interfaces?.[0]?.ipAddress)
  })

  it('fail for a guest that is pinned to its node, after a while', async () => {
    await move()

    const { status } = await ended()
    expect(status?.phase).toBe('Failed')
    expect(status?.migrationState?.failureReason).toContain("didn't match Pod's node affinity/selector")
    expect((await vmi())?.status).toMatchObject({ phase: 'Running', nodeName: 'node-1' })
  })

  it('fail with a guest that shuts itself down', async () => {
    const annotations = { [NODE_GUESTS_ANNOTATION]: 'migration-hangs' }
    await client.mergePatch(NODE, { name: 'node-1' }, { metadata: { annotations } })
    await pin('node-1', 'node-2')
    await until('it is told', async () => hostsOf((await vmi())?.spec.affinity).includes('node-2'))
    await move()
    await until('it moves', async () => (await vmi())?.status?.migrationState !== undefined)

    await standIn.guestPowersOff(REF)

    expect((await ended()).status?.phase).toBe('Failed')
    expect((await vmi())?.status?.phase).toBe('Succeeded')
  })

  it('let no affinity reach a guest that moves', async () => {
    await standIn.setGuest(REF, 'migration-hangs')
    await pin('node-1', 'node-2')
    await until('it is told', async () => hostsOf((await vmi())?.spec.affinity).includes('node-2'))
    await move()
    await until('it moves', async () => (await vmi())?.status?.migrationState !== undefined)

    await pin('node-1')
    await until('the VM says that it moves', async () => {
      const { status } = await client.get(VIRTUAL_MACHINE, REF)
      return status?.printableStatus === 'Migrating'
    })
    expect(hostsOf((await vmi())?.spec.affinity)).toEqual(['node-1', 'node-2'])

    await standIn.setGuest(REF, 'stubborn')
    await ended()
    await until('it is told', async () => hostsOf((await vmi())?.spec.affinity).length === 1)
  })
})
