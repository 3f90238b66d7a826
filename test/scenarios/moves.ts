import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMPUTE_NODE } from '../../src/apis/v1alpha1/compute-node.ts'
import { VIRTUAL_MACHINE_INSTANCE } from '../../src/virt/kubevirt/resources.ts'
import { leave } from './audit.ts'
import { makeFlavor } from './catalogue.ts'
import { eventually } from './eventually.ts'
import { makeProject, type Project } from './instances.ts'
import { type Guests, hostsOf, type MakeWorld, type World } from './world.ts'

/** Nova's server actions that take an instance to another host. */
export function describeMoves(makeWorld: MakeWorld, guests: Guests = 'simulated'): void {
  const ifSimulated = it.runIf(guests === 'simulated')

  describe('moves', () => {
    let world: World
    let project: Project

    beforeAll(async () => {
      world = await makeWorld()
      project = await makeProject(world)
      await makeFlavor(world, 'm1.small', { vcpus: 1, memoryMb: 2048, diskGb: 20 })
      await makeFlavor(world, 'm1.huge', { vcpus: 512, memoryMb: 4_000_000, diskGb: 20 })
    })
    afterAll(() => leave(world))

    const ref = (name: string): { namespace: string; name: string } => ({
      namespace: project.namespace,
      name,
    })
    const guest = async (name: string): Promise<{ host: string | undefined; uid: string | undefined }> => {
      const { status, metadata } = await world.client.get(VIRTUAL_MACHINE_INSTANCE, ref(name))
      return { host: status?.nodeName, uid: metadata.uid }
    }

    it('a resize by another flavor waits elsewhere to be confirmed', async () => {
      const { status: before } = await project.launch('grown')

      await project.patch('grown', { flavor: 'm1.small' })

      const { status } = await project.untilState('grown', 'resized')
      expect(status).toMatchObject({
        status: 'VERIFY_RESIZE',
        powerState: 'RUNNING',
        flavor: { name: 'm1.small' },
        migration: { type: 'resize', status: 'finished', sourceHost: before.host, destHost: status.host },
      })
      expect(status.host).not.toBe(before.host)
      expect((await guest('grown')).host).toBe(status.host)
      expect((await project.virtualMachines()).length).toBeGreaterThan(0)
      const { status: record } = await project.actionEnd('grown', 'resize')
      expect(record?.result).toBe('Success')
      expect(record?.events?.map(({ name, host }) => [name, host])).toEqual([
        ['scheduler_select_destinations', 'nova-scheduler'],
        ['compute_prep_resize', status.host],
        ['compute_resize_instance', before.host],
        ['compute_finish_resize', status.host],
      ])

      const after = await project.perform({ action: 'confirmResize', instance: 'grown' })
      expect(after.status).toMatchObject({
        vmState: 'active',
        host: status.host,
        flavor: { name: 'm1.small' },
      })
      expect(after.status).not.toHaveProperty('migration')
    })

    it('a reverted resize is back on its host with its flavor, as is what is wanted', async () => {
      const { status: before } = await project.launch('tried')
      await project.patch('tried', { flavor: 'm1.small' })
      await project.untilState('tried', 'resized')

      const { status, spec } = await project.perform({ action: 'revertResize', instance: 'tried' })

      expect(status).toMatchObject({
        vmState: 'active',
        host: before.host,
        flavor: before.flavor,
        powerState: 'RUNNING',
      })
      expect(spec.flavor).toBe('m1.tiny')
      expect((await guest('tried')).host).toBe(before.host)
    })

    it('an instance that is off is resized off', async () => {
      await project.launch('off')
      await project.patch('off', { powerState: 'Shutdown' })
      await project.untilState('off', 'stopped')

      await project.patch('off', { flavor: 'm1.small' })

      expect((await project.untilState('off', 'resized')).status.powerState).toBe('SHUTDOWN')
      const after = await project.perform({ action: 'confirmResize', instance: 'off' })
      expect(after.status.vmState).toBe('stopped')
    })

    it('a migration goes to the host that was asked for', async () => {
      const { status: before } = await project.launch('sent')
      const host = hostsOf(world).find((one) => one !== before.host) ?? ''

      const { status } = await project.perform({ action: 'migrate', instance: 'sent', host })

      expect(status).toMatchObject({ vmState: 'resized', host, migration: { type: 'migration' } })
      await project.perform({ action: 'confirmResize', instance: 'sent' })
    })

    it('a live migration takes the running guest along', async () => {
      const { status: before } = await project.launch('live')
      const { uid } = await guest('live')

      const { status } = await project.perform({ action: 'live-migration', instance: 'live' })

      expect(status).toMatchObject({ vmState: 'active', powerState: 'RUNNING' })
      expect(status.host).not.toBe(before.host)
      expect(await guest('live')).toEqual({ host: status.host, uid })
      expect(status).not.toHaveProperty('migration')
      // Its new host is in charge of it.
      await project.patch('live', { powerState: 'Shutdown' })
      await project.untilState('live', 'stopped')
    })

    it('what fits nowhere stays where it is, as it is, and says why', async () => {
      const { status: before } = await project.launch('huge')

      await project.patch('huge', { flavor: 'm1.huge' })

      const { status } = await project.actionEnd('huge', 'resize')
      expect(status?.result).toBe('Error')
      expect(status?.message).toContain('No valid host was found.')
      const after = await project.untilState('huge', 'active')
      expect(after.status).toMatchObject({
        host: before.host,
        flavor: before.flavor,
        fault: { reason: 'NoValidHost' },
      })
      expect(after.status).not.toHaveProperty('migration')
      // What failed is not begun again by itself.
      await project.perform({ action: 'reboot', instance: 'huge' })
      expect((await project.actions('huge')).filter(({ spec }) => spec.action === 'resize')).toHaveLength(1)
    })

    ifSimulated(
      'instances are evacuated from a host that is down, and it keeps nothing of them',
      async () => {
        const { status: before } = await project.launch('saved')
        const { uid } = await guest('saved')
        const host = before.host ?? ''
        await world.services.kill(`nova-compute-${host}`)
        await world.client.mergePatch(COMPUTE_NODE, { name: host }, { spec: { forcedDown: true } })
        try {
          const { status } = await project.done({ action: 'evacuate', instance: 'saved' })
          expect(status).toMatchObject({ result: 'Success' })

          // Nova leaves it stopped; that it should run is its spec's wish, and an action of its own.
          const after = await project.untilState('saved', 'active')
          expect(after.status.host).not.toBe(host)
          expect((await project.actionEnd('saved', 'start')).status?.result).toBe('Success')
          expect((await guest('saved')).uid).not.toBe(uid)
          expect((await guest('saved')).host).toBe(after.status.host)
        } finally {
          await world.client.mergePatch(COMPUTE_NODE, { name: host }, { spec: { forcedDown: false } })
          await world.services.start(`nova-compute-${host}`)
        }
        await eventually('the host is up', async () => {
          const { status } = await world.client.get(COMPUTE_NODE, { name: host })
          return status?.state !== 'down'
        })
        expect((await project.get('saved')).status.vmState).toBe('active')
      },
    )
  })
}
