import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { HOST_LABEL } from '../../src/virt/kubevirt/ownership.ts'
import { VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { leave } from './audit.ts'
import { setComputeNode, setGuest, untilComputeNode } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { BREAKABLE, type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

/** A host whose agent does not answer. */
export function describeHostsDown(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('a host is down', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld(BREAKABLE)
    })
    beforeEach(async () => {
      project = await makeProject(world)
    })
    afterAll(() => leave(world))

    it('launches avoid it, and say so; a stop waits for it, and a delete does not', async () => {
      // Spread over three hosts, so that each has two.
      const names = ['a', 'b', 'c', 'd', 'e', 'f']
      const launched = await Promise.all(names.map((name) => project.launch(name)))
      const host = launched[0]?.status.host ?? ''
      const [stopping = '', deleting = ''] = launched
        .filter(({ status }) => status.host === host)
        .map(({ metadata }) => metadata.name)
      await world.services.kill(`nova-compute-${host}`)
      await untilComputeNode(world, host, 'down')

      // Nova: a stop does not ask whether the host is up; the message waits there.
      await project.patch(stopping, { powerState: 'Shutdown' })
      await project.delete(deleting)
      await project.until(stopping, (one) => one.status.taskState === 'powering-off')
      // Nova's local delete: what is left of the guest goes with the Instance, or when the agent is back.
      await project.untilGone(deleting)
      expect((await project.actionEnd(deleting, 'delete')).status).toMatchObject({
        result: 'Success',
        events: [{ name: 'api_local_delete', host: 'nova-api' }],
      })
      const later = ['later-1', 'later-2', 'later-3', 'later-4']
      const elsewhere = await Promise.all(later.map((name) => project.launch(name)))
      expect(elsewhere.map(({ status }) => status.host)).not.toContain(host)
      const { status: create } = await project.actionEnd('later-1', 'create')
      expect(create?.placement?.filters).toContainEqual({
        name: 'ComputeFilter',
        removed: 1,
        reasons: ['1 down: the agent does not report'],
      })
      expect((await project.get(stopping)).status).toMatchObject({
        vmState: 'active',
        taskState: 'powering-off',
      })

      await world.services.start(`nova-compute-${host}`)

      await project.untilState(stopping, 'stopped')
      await eventually('nothing is left of what was deleted', async () => {
        return (await project.virtualMachine(deleting)) === undefined
      })
      await untilComputeNode(world, host, 'up')
    })

    it('no launch finds a host when all are, and one does when they are back', async () => {
      const hosts = hostsOf(world)
      await Promise.all(hosts.map((host) => world.services.kill(`nova-compute-${host}`)))
      for (const host of hosts) await untilComputeNode(world, host, 'down')

      await project.create('nowhere')

      expect((await project.untilFault('nowhere')).message).toBe(
        'No valid host was found. Of 3 hosts, ComputeFilter took out 3 (3 down: the agent does not report).',
      )
      await Promise.all(hosts.map((host) => world.services.start(`nova-compute-${host}`)))
      for (const host of hosts) await untilComputeNode(world, host, 'up')
      await project.launch('back')
    })

    it('its ComputeNode that somebody deleted comes back as long as its agent reports', async () => {
      const before = await world.client.get(COMPUTE_NODE, { name: 'node-2' })

      await world.client.delete(COMPUTE_NODE, { name: 'node-2' })

      const after = await eventually('it is there again', async () => {
        const node = await world.client.get(COMPUTE_NODE, { name: 'node-2' })
        return node.status?.state === 'up' && node
      })
      expect(after.metadata.uid).not.toBe(before.metadata.uid)
      expect(after.status?.inventory).toEqual(before.status?.inventory)
      await project.launch('on-it', { requestedHost: 'node-2' })
    })

    it('is back before an evacuation has taken the guest: it stays there, and is as it was', async () => {
      const { status: before } = await project.launch('kept')
      const host = before.host ?? ''
      const run = await runOf('kept')
      await setComputeNode(world, host, { forcedDown: true })
      await untilComputeNode(world, host, 'down')
      // Nobody is there who would take it.
      await world.services.stop('nova-conductor')
      const { metadata } = await project.ask({ action: 'evacuate', instance: 'kept' })
      await project.until('kept', ({ status }) => status.migration?.destHost !== undefined)

      await setComputeNode(world, host, { forcedDown: false })
      await untilComputeNode(world, host, 'up')
      await world.services.start('nova-conductor')

      expect((await project.actionNamed(metadata.name)).status).toMatchObject({
        result: 'Error',
        message: expect.stringContaining(`Compute service of ${host} is still in use`),
      })
      const { status } = await project.untilState('kept', 'active')
      expect(status).toMatchObject({ host, powerState: 'RUNNING', fault: { reason: 'ComputeServiceInUse' } })
      expect(status).not.toHaveProperty('migration')
      expect(await runOf('kept')).toEqual(run)
      // It is its host's as before.
      await project.perform({ action: 'reboot', instance: 'kept', type: 'Hard' })
    })

    // A real guest does not wait for it.
    ifSimulated('is back after an evacuation has taken the guest: that goes on', async () => {
      const { status: before } = await project.launch('taken')
      const host = before.host ?? ''
      const run = await runOf('taken')
      await setGuest(world, ref('taken'), 'stubborn')
      await setComputeNode(world, host, { forcedDown: true })
      await untilComputeNode(world, host, 'down')
      const { metadata } = await project.ask({ action: 'evacuate', instance: 'taken' })
      await eventually('its guest is given away', async () => {
        const vm = await project.virtualMachine('taken')
        return vm?.metadata.labels?.[HOST_LABEL] !== host
      })

      await setComputeNode(world, host, { forcedDown: false })
      await untilComputeNode(world, host, 'up')
      // It takes up what was in flight there, and has no part in that.
      await world.services.kill(`nova-compute-${host}`)
      await world.services.start(`nova-compute-${host}`)
      await setGuest(world, ref('taken'), 'slow-boot=0')

      expect((await project.actionNamed(metadata.name)).status?.result).toBe('Success')
      const { status } = await project.until(
        'taken',
        (one) => one.status.vmState === 'active' && one.status.taskState === undefined,
      )
      expect(status.host).not.toBe(host)
      expect(await runOf('taken')).toMatchObject({ host: status.host })
      expect((await runOf('taken')).uid).not.toBe(run.uid)
    })

    const ref = (name: string): { namespace: string; name: string } => ({
      namespace: project.namespace,
      name,
    })

    async function runOf(name: string): Promise<{ host: string | undefined; uid: string | undefined }> {
      const { status, metadata } = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref(name))
      return { host: status?.nodeName, uid: metadata.uid }
    }
  })
}
