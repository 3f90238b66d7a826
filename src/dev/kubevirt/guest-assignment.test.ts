import { beforeEach, describe, expect, it, vi } from 'vitest'
import { serviceContext } from '../../common/context.ts'
import { InstancePowerOffFailure } from '../../common/errors/guest.ts'
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
  off,
  refOf,
  spawn,
  useKubeVirt,
  vmOf,
  vmiOf,
  world,
  writes,
} from '../../testing/use-kubevirt.ts'
import type { ComputeDriver, GuestSpec } from '../../virt/driver.ts'
import { GuestNotFound } from '../../virt/guest-not-found.ts'
import { hostsOf } from '../../virt/kubevirt/affinity.ts'
import { KubeVirtGuestAssignment } from '../../virt/kubevirt/assignment.ts'
import { HOST_LABEL } from '../../virt/kubevirt/ownership.ts'
import { type Pod, POD, VIRTUAL_MACHINE, VIRTUAL_MACHINE_INSTANCE } from '../../virt/kubevirt/resources.ts'

const ctx = serviceContext('req-1')
const BY_FORCE = { byForce: true } as const

let other: ComputeDriver
let to: string

useKubeVirt()
beforeEach(async () => {
  other = await world.driver('node-2')
  to = world.nodeOf('node-2')
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
