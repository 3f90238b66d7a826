import { beforeEach, describe, expect, it, vi } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import {
  InstancePowerOffFailure,
  MigrationError,
  NotSupported,
  SnapshotFailure,
} from '../../common/errors/guest.ts'
import { KubernetesUnavailable } from '../../common/errors/unavailable.ts'
import { isNotFound } from '../../kube/api-error.ts'
import { HttpKubeClient } from '../../kube/http-client.ts'
import { captureLog } from '../../testing/log-capture.ts'
import { recordWrites } from '../../testing/recording-client.ts'
import { until } from '../../testing/until.ts'
import {
  client,
  driver,
  inTime,
  makeClient,
  spawn,
  useKubeVirt,
  vmOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { ComputeDriver, GuestSpec } from '../../virt/driver.ts'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { hostsOf } from '../../virt/kubevirt/affinity.ts'
import { KubeVirtGuestAssignment } from '../../virt/kubevirt/assignment.ts'
import { PERSISTENT_VOLUME_CLAIM } from '../../virt/kubevirt/claim.ts'
import { VIRTUAL_MACHINE_INSTANCE_MIGRATION } from '../../virt/kubevirt/migration-resource.ts'
import { HOST_LABEL } from '../../virt/kubevirt/ownership.ts'
import {
  type Pod,
  POD,
  SECRET,
  VIRTUAL_MACHINE,
  VIRTUAL_MACHINE_INSTANCE,
  type VirtualMachineInstance,
} from '../../virt/kubevirt/resources.ts'
import { VIRTUAL_MACHINE_SNAPSHOT } from '../../virt/kubevirt/snapshot-resource.ts'
import type { GuestWord } from './behaviour.ts'

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

const refOf = ({ namespace, name }: GuestSpec): { namespace: string; name: string } => ({ namespace, name })
const vmiOf = async (guest: GuestSpec): Promise<VirtualMachineInstance> =>
  client.get(VIRTUAL_MACHINE_INSTANCE, refOf(guest))

async function off(guest: GuestSpec): Promise<void> {
  await driver.powerOff(ctx, guest, { timeoutMs: 60_000 })
  writes.length = 0
}

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

describe('KubeVirtGuestAssignment', () => {
  const hosts = async (guest: GuestSpec): Promise<readonly string[]> =>
    hostsOf((await vmOf(guest)).spec.template.spec.affinity)

  it('writes who has the guest on all that says it, once', async () => {
    const guest = await spawn()
    const assignment = assignmentOf(recordWrites(makeClient(), writes))

    await assignment.assign(ctx, guest, to)
    await assignment.assign(ctx, guest, to)

    expect(new Set(writes)).toEqual(
      new Set(['mergePatch virtualmachines', 'mergePatch virtualmachineinstances']),
    )
    const vm = await vmOf(guest)
    const labels = [vm, vm.spec.template, await vmiOf(guest)].map(
      ({ metadata }) => metadata?.labels?.[HOST_LABEL],
    )
    expect(labels).toEqual([to, to, to])
    expect(await hosts(guest)).toEqual([to])
  })

  it('makes a guest nobody’s, which then starts nowhere', async () => {
    const guest = await spawn()
    await off(guest)

    await world.assignment.assign(ctx, guest, undefined)

    expect((await vmOf(guest)).metadata.labels?.[HOST_LABEL]).toBe('')
    for (const each of [driver, other]) await expect(each.powerOn(ctx, guest)).rejects.toThrow(GuestNotFound)
    const requests = { status: { stateChangeRequests: [{ action: 'Start' }] } }
    await client.mergePatch(VIRTUAL_MACHINE, refOf(guest), requests, { subresource: 'status' })
    await until('KubeVirt finds no node for it', async () => {
      const { status } = await vmOf(guest)
      return status?.printableStatus === 'ErrorUnschedulable'
    })
  })

  it('lets a guest move, whose it is all the same, until it is assigned', async () => {
    const guest = await spawn()
    const own = world.nodeOf('node-1')

    await world.assignment.allowMove(ctx, guest, to)
    await world.assignment.allowMove(ctx, guest, to)

    expect(await hosts(guest)).toEqual([own, to])
    expect((await vmOf(guest)).metadata.labels?.[HOST_LABEL]).toBe(own)
    await world.assignment.assign(ctx, guest, own)
    expect(await hosts(guest)).toEqual([own])
  })

  it('lets nobody have a guest that is nobody’s', async () => {
    const guest = await spawn()
    await off(guest)
    await world.assignment.assign(ctx, guest, undefined)

    await world.assignment.allowMove(ctx, guest, to)

    expect(await hosts(guest)).toEqual(['nowhere.compute.kilonova.dev'])
  })

  it.each(['assign', 'allowMove', 'takeAway'] as const)(
    '%s touches no VM of another instance',
    async (call) => {
      const guest = await spawn()
      const before = await vmOf(guest)
      const namesake = { ...guest, uid: await world.makeInstance(refOf(guest)) }

      await world.assignment[call](ctx, namesake, to, BY_FORCE)

      expect((await vmOf(guest)).metadata.generation).toBe(before.metadata.generation)
      expect((await vmiOf(guest)).metadata.labels?.[HOST_LABEL]).toBe(world.nodeOf('node-1'))
    },
  )

  it('says that Kubernetes could not be asked', async () => {
    const guest = await spawn()
    const broken = HttpKubeClient.fromKubeConfig({ server: 'http://127.0.0.1:1' }, { clock: world.clock })

    await expect(inTime(assignmentOf(broken).assign(ctx, guest, to))).rejects.toThrow(KubernetesUnavailable)
    await broken.close()
  })

  describe('takeAway', () => {
    async function putLauncher(guest: GuestSpec, node: string): Promise<Pod> {
      const name = `virt-launcher-${guest.name}-${node}`
      const labels = { 'kubevirt.io': 'virt-launcher', 'compute.kilonova.dev/instance-uid': guest.uid }
      const metadata = { namespace: 'default', name, labels }
      const containers = [{ name: 'compute', image: 'launcher' }]
      const spec = { nodeName: node, containers }
      return client.create(POD, { apiVersion: 'v1', kind: 'Pod', metadata, spec } as Pod)
    }

    async function exists(pod: Pod): Promise<boolean> {
      const { namespace = '', name } = pod.metadata
      return client.get(POD, { namespace, name }).then(
        () => true,
        (error: unknown) => {
          if (isNotFound(error)) return false
          throw error
        },
      )
    }

    it('removes what the dead host still seems to run, and nothing else', async () => {
      const [guest, neighbour] = [await spawn(), await spawn()]
      const left = await putLauncher(guest, world.nodeOf('node-1'))
      const others = await putLauncher(neighbour, world.nodeOf('node-1'))

      await world.assignment.takeAway(ctx, guest, to, BY_FORCE)

      await expect(vmiOf(guest)).rejects.toThrow('not found')
      expect([await exists(left), await exists(others)]).toEqual([false, true])
      expect(await hosts(guest)).toEqual([to])
      expect((await vmiOf(neighbour)).status?.phase).toBe('Running')
      await client.delete(
        POD,
        { namespace: 'default', name: others.metadata.name },
        { gracePeriodSeconds: 0 },
      )
    })

    it('from a host that is up waits until its kubelet has ended what runs there', async () => {
      const guest = await spawn()
      const launcher = await putLauncher(guest, world.nodeOf('node-1'))
      const { namespace = '', name } = launcher.metadata
      // Its kubelet takes its time.
      await client.mergePatch(POD, { namespace, name }, { metadata: { finalizers: ['test/kubelet'] } })
      let isTaken = false

      const taking = world.assignment
        .takeAway(ctx, guest, to, { byForce: false })
        .finally(() => (isTaken = true))

      await until('the Pod is asked to end', async () => {
        const { metadata } = await client.get(POD, { namespace, name })
        return metadata.deletionTimestamp !== undefined
      })
      await until('the guest is gone', async () =>
        client.get(VIRTUAL_MACHINE_INSTANCE, refOf(guest)).then(() => false, isNotFound),
      )
      expect(isTaken).toBe(false)
      await client.mergePatch(POD, { namespace, name }, { metadata: { finalizers: null } })
      await taking
      expect(await hosts(guest)).toEqual([to])
    })

    it.each([
      { byForce: true, seconds: 0 },
      { byForce: false, seconds: 1 },
    ])('gives what runs elsewhere $seconds s to end, by force: $byForce', async ({ byForce, seconds }) => {
      const guest = await spawn()
      await putLauncher(guest, world.nodeOf('node-1'))
      const own = makeClient()
      const remove = vi.spyOn(own, 'delete')

      await assignmentOf(own).takeAway(ctx, guest, to, { byForce })

      const ofPods = remove.mock.calls.filter(([type]) => type.plural === 'pods')
      // None at all has Kubernetes take the Pod's own; zero has it strike off what may still run.
      expect(ofPods.map(([, , options]) => options?.gracePeriodSeconds)).toEqual([seconds])
      await own.close()
    })

    it('tells whose a guest is by now', async () => {
      const guest = await spawn()
      const whose = async (): Promise<readonly boolean[]> =>
        Promise.all(
          [world.nodeOf('node-1'), to].map(async (host) => world.assignment.isAssignedTo(ctx, guest, host)),
        )
      expect(await whose()).toEqual([true, false])
      await world.assignment.takeAway(ctx, guest, to, BY_FORCE)
      expect(await whose()).toEqual([false, true])
      await driver.destroy(ctx, guest)
      await other.destroy(ctx, guest)
      expect(await whose()).toEqual([false, false])
    })

    it('called again leaves what runs on the new host alone', async () => {
      const guest = await spawn()
      await world.assignment.takeAway(ctx, guest, to, BY_FORCE)
      await other.finishMigration(ctx, guest, { powerOn: true })
      const run = await world.runOf(guest)
      const launcher = await putLauncher(guest, to)

      await world.assignment.takeAway(ctx, guest, to, BY_FORCE)

      expect(await world.runOf(guest)).toBe(run)
      expect(await exists(launcher)).toBe(true)
      await client.delete(
        POD,
        { namespace: 'default', name: launcher.metadata.name },
        { gracePeriodSeconds: 0 },
      )
    })

    it('says so when KubeVirt does not let go', async () => {
      const guest = await spawn()
      await world.makeStubborn(guest)

      const taking = inTime(world.assignment.takeAway(ctx, guest, to, BY_FORCE))

      await expect(taking).rejects.toThrow(
        new InstancePowerOffFailure({
          instance: guest.uid,
          reason: 'what ran on its old host does not go away within 60 s',
        }),
      )
    })
  })

  function assignmentOf(own: HttpKubeClient): KubeVirtGuestAssignment {
    return new KubeVirtGuestAssignment({ client: own, clock: world.clock, log: captureLog().log })
  }
})
